"""The audit: checks every writer's chain of rows against its hashes and its signed checkpoints, offline.

It needs the store and public keys, nothing that runs. The keys in the store prove that nobody changed rows
without changing keys too; keys that are handed in prove it against whoever rules the database as well.
"""

from collections.abc import Sequence

from msgspec import Struct

from shared.ledger.checkpoint import Mark, Notary
from shared.ledger.evidence import Chain, Finding, Kind
from shared.store import Store

__all__ = ["Finding", "Kind", "Report", "verify"]


class Report(Struct, frozen=True, kw_only=True):
    """`findings` has the first bad row of each writer. `notes` is what nobody can tell: a gap behind the last
    checkpoint may be a row that was under way when its process was killed, or one that was removed."""

    writers: int
    rows: int
    checkpoints: int
    findings: list[Finding]
    notes: list[Finding]


async def verify(store: Store, *, jwks: Sequence[bytes] = (), anchors: Sequence[str] = ()) -> Report:
    """Checks the whole ledger. `jwks` are JWK Sets to trust instead of the keys in the store, `anchors` are
    checkpoints that somebody has kept elsewhere."""
    own_keys = [] if jwks else [key.jwk for key in await store.signing_keys()]
    notary = Notary(jwks, own_keys)
    claims = [notary.mark(token) for token in anchors]
    kept_elsewhere = [mark for mark in claims if isinstance(mark, Mark)]
    chains = []
    for writer in sorted({*await store.writers(), *(mark.writer for mark in kept_elsewhere)}):
        marks = [mark for mark in kept_elsewhere if mark.writer == writer]
        chain = await _walked(store, writer, notary, marks)
        if chain.finding is not None:
            # Rows may have come in behind a page that we had read. What was changed is found again.
            chain = await _walked(store, writer, notary, marks)
        chains.append(chain)
    findings = [finding for chain in chains if (finding := chain.finding)]
    refused = [f"a checkpoint that was kept elsewhere: {claim}" for claim in claims if isinstance(claim, str)]
    findings += [Finding("", 0, "", Kind.CHECKPOINT, problem) for problem in refused]
    if gap := await store.rollup_gap():
        problem = f"the sums that spend is answered from are not those of the rows: {gap}"
        findings.append(Finding("", 0, "", Kind.ROLLUP, problem))
    return Report(
        writers=len(chains),
        rows=sum(chain.rows for chain in chains),
        checkpoints=sum(chain.checkpoints for chain in chains),
        findings=findings,
        notes=[note for chain in chains if (note := chain.note)],
    )


async def _walked(store: Store, writer: str, notary: Notary, marks: list[Mark]) -> Chain:
    chain = Chain(writer, notary)
    for mark in marks:
        chain.expect(mark)
    for kept in await store.checkpoints(writer):
        chain.expect_signed(kept.id, kept.token)
    async for row in store.rows(writer):
        chain.take(row)
    chain.end()
    return chain
