"""Prompts and replies that were kept: read one, erase one, erase all of a principal's. Each call is an entry
that says whose.
"""

from hashlib import sha256

import msgspec
from msgspec import Raw, Struct

from api_gateway.admin import Answer, Ask, Page
from api_gateway.control import Control
from shared.approvals import visible
from shared.errors import BadRequest, NotFound
from shared.transcripts import Transcripts

_LONGEST = 256


class _Kept(Struct, frozen=True):
    chain: str


class Said:
    """The calls of the pages below, over what is kept in Redis."""

    def __init__(self, transcripts: Transcripts) -> None:
        self._transcripts = transcripts

    async def read(self, control: Control, ask: Ask) -> Answer:
        """`vouched`: whether the ledger's row holds the digest of exactly this; null while it has no such
        row.
        """
        tenant, entry = _tenant(ask), ask.names["id"]
        _note(ask, entry)
        content = await self._transcripts.read(tenant, entry)
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

    async def erase(self, control: Control, ask: Ask) -> Answer:
        """Erases what is kept of one call."""
        tenant, entry = _tenant(ask), ask.names["id"]
        _note(ask, entry)
        if not await self._transcripts.erase(tenant, entry):
            raise NotFound(f"nothing is kept of {entry[:_LONGEST]}")
        return 200, {"erased": 1}

    async def erase_all(self, control: Control, ask: Ask) -> Answer:
        """Erases what is kept of all that one principal said and was told."""
        tenant, principal = _tenant(ask), ask.query.get("principal", "")
        if not principal:
            raise BadRequest("principal: say whose, like ?principal=user:alice")
        _note(ask, principal)
        return 200, {"erased": await self._transcripts.erase_all(tenant, principal)}


def pages(transcripts: Transcripts) -> tuple[Page, ...]:
    said, path, area = Said(transcripts), "/transcripts", "transcripts"
    one, whose = f"{path}/{{id}}", ("tenant",)
    return (
        Page(method="GET", path=one, area=area, action="read", call=said.read, query=whose),
        Page(method="DELETE", path=one, area=area, action="manage", call=said.erase, query=whose),
        Page(
            method="DELETE",
            path=path,
            area=area,
            action="manage",
            call=said.erase_all,
            query=(*whose, "principal"),
        ),
    )


def _tenant(ask: Ask) -> str:
    """Raises BadRequest, Forbidden."""
    tenant = ask.tenant(ask.query.get("tenant"))
    if tenant is None:
        raise BadRequest("tenant: say whose transcripts, like tenant=acme")
    return tenant


def _note(ask: Ask, whose: str) -> None:
    ask.entry.findings += (f"transcript:{visible(whose[:_LONGEST])}",)
