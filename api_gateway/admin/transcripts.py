"""Prompts and replies that were kept: read one, erase one, erase all of a principal's. Each call is an entry
that says whose.
"""

from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.errors import BadRequest, NotFound
from shared.transcripts import Transcripts

_LONGEST = 256


class _Kept(Struct, frozen=True):
    chain: str


def pages(transcripts: Transcripts) -> tuple[Page, ...]:
    """The pages over what is kept in Redis."""

    async def read(control: Control, ask: Ask) -> Answer:
        """`vouched`: whether the ledger's row holds the digest of exactly this; null while it has no such
        row.
        """
        tenant, entry = _tenant(ask), ask.names["id"]
        _note(ask, entry)
        content = await transcripts.read(tenant, entry)
        if content is None:
            raise NotFound(
                f"nothing is kept of {entry[:_LONGEST]}: nobody opted its caller in, it was not sampled, it "
                "has run out, or it was erased"
            )
        digest = sha256(content).hexdigest()
        rows = await control.store.chain(msgspec.json.decode(content, type=_Kept).chain, tenant)
        row = next((row for row in rows if row.id == entry), None)
        vouched = None if row is None else row.digest == digest
        return 200, {"entry": entry, "digest": digest, "vouched": vouched, "content": Raw(content)}

    async def erase(control: Control, ask: Ask) -> Answer:
        """Erases what is kept of one call."""
        tenant, entry = _tenant(ask), ask.names["id"]
        _note(ask, entry)
        if not await transcripts.erase(tenant, entry):
            raise NotFound(f"nothing is kept of {entry[:_LONGEST]}")
        return 200, {"erased": 1}

    async def erase_all(control: Control, ask: Ask) -> Answer:
        """Erases what is kept of all that one principal said and was told."""
        tenant, principal = _tenant(ask), ask.query.get("principal", "")
        if not principal:
            raise BadRequest("principal: say whose, like ?principal=user:alice")
        _note(ask, principal)
        return 200, {"erased": await transcripts.erase_all(tenant, principal)}

    one = "/transcripts/{id}"
    return (
        Page(method="GET", path=one, area="transcripts", action="read", call=read, query=("tenant",)),
        Page(method="DELETE", path=one, area="transcripts", action="manage", call=erase, query=("tenant",)),
        Page(
            method="DELETE",
            path="/transcripts",
            area="transcripts",
            action="manage",
            call=erase_all,
            query=("tenant", "principal"),
        ),
    )


def _tenant(ask: Ask) -> str:
    """Raises BadRequest, Forbidden."""
    tenant = ask.tenant(ask.query.get("tenant"))
    if tenant is None:
        raise BadRequest("tenant: say whose transcripts, like tenant=acme")
    return tenant


def _note(ask: Ask, whose: str) -> None:
    ask.entry.findings += (f"transcript:{whose[:_LONGEST]}",)
