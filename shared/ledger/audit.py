"""The audit: checks every writer's chain of rows against its hashes and its signed checkpoints, offline.

It needs the rows, from the store or exported, and public keys; nothing that runs. The keys in the store
prove that nobody changed rows without changing keys too; keys that are handed in prove it against whoever
rules the database as well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from shared.ledger.checkpoint import Mark, Notary
from shared.ledger.evidence import Chain, Finding, Kind
from shared.ledger.exported import read
from shared.store import Store

Progress = Callable[[str, int], None]
_TOLD_EVERY = 10_000

__all__ = ["Finding", "Kind", "Progress", "Report", "verify", "verify_exported"]


class Report(Struct, frozen=True, kw_only=True):
    """`findings` has the first bad row of each writer. `notes` is what nobody can tell: a gap behind the last
    checkpoint may be a row that was under way when its process was killed, or one that was removed."""

    writers: int
    rows: int
    checkpoints: int
    findings: list[Finding]
    notes: list[Finding]


async def verify(
    store: Store,
    *,
    jwks: Sequence[bytes] = (),
    anchors: Sequence[str] = (),
    progress: Progress = lambda stage, rows: None,
) -> Report:
    """Checks the whole ledger. `jwks` are JWK Sets to trust instead of the keys in the store, `anchors` are
    checkpoints that somebody has kept elsewhere. `progress` is told what is done, and after how many rows."""
    own_keys = [] if jwks else [key.jwk for key in await store.signing_keys()]
    notary = Notary(jwks, own_keys)
    claims = [notary.mark(token) for token in anchors]
    kept_elsewhere = [mark for mark in claims if isinstance(mark, Mark)]
    chains: list[Chain] = []
    for writer in sorted({*await store.writers(), *(mark.writer for mark in kept_elsewhere)}):
        marks = [mark for mark in kept_elsewhere if mark.writer == writer]
        told = partial(_told, progress, writer, sum(chain.rows for chain in chains))
        chain = await _walked(store, writer, notary, marks, told)
        if chain.finding is not None:
            # Rows may have come in behind a page that we had read. What was changed is found again.
            chain = await _walked(store, writer, notary, marks, told)
        chains.append(chain)
    progress("sums", sum(chain.rows for chain in chains))
    findings = [finding for chain in chains if (finding := chain.finding)]
    refused = [f"a checkpoint that was kept elsewhere: {claim}" for claim in claims if isinstance(claim, str)]
    findings += [Finding("", 0, "", Kind.CHECKPOINT, problem) for problem in refused]
    if gap := await store.rollup_gap():
        problem = f"the sums that spend is answered from are not those of the rows: {gap}"
        findings.append(Finding("", 0, "", Kind.ROLLUP, problem))
    return _report(chains, findings, [])


def verify_exported(
    lines: Iterable[bytes], *, jwks: Sequence[bytes], position: Mapping[str, int] | None = None
) -> Report:
    """Checks rows that were exported, against these JWK Sets. A row that is there twice is read once: an
    export that was broken off repeats some. `position` says where the export ended, writer by writer.

    What was cut off before a writer's first row, or behind its last without a `position`, cannot be told.
    """
    notary, chains = Notary(jwks), dict[str, Chain]()
    findings, notes = [], []
    for row in read(lines):
        if isinstance(row, int):
            findings.append(Finding("", 0, "", Kind.CHANGED, f"line {row} holds no row"))
            continue
        chain = chains.get(row.writer)
        if chain is None:
            chain = chains[row.writer] = Chain(row.writer, notary, max(row.seq, 1))
            if row.seq > 1:
                notes.append(Finding(row.writer, row.seq, "", Kind.UNSIGNED, "the export begins here"))
        kept = row.kept
        if not chain.holds(kept):
            chain.take(kept)
    for chain in chains.values():
        chain.end()
    findings += [found for chain in chains.values() if (found := chain.finding)]
    for writer, last in (position or {}).items():
        ends = chains[writer].last if writer in chains else 0
        if ends < last:
            problem = f"the export went on to row {last}, and its rows end at {ends}"
            findings.append(Finding(writer, ends + 1, "", Kind.TRUNCATED, problem))
    return _report(list(chains.values()), findings, notes)


def _report(chains: list[Chain], findings: list[Finding], notes: list[Finding]) -> Report:
    return Report(
        writers=len(chains),
        rows=sum(chain.rows for chain in chains),
        checkpoints=sum(chain.checkpoints for chain in chains),
        findings=findings,
        notes=[*notes, *(note for chain in chains if (note := chain.note))],
    )


def _told(progress: Progress, writer: str, before: int, rows: int) -> None:
    progress(f"rows of {writer}", before + rows)


async def _walked(
    store: Store, writer: str, notary: Notary, marks: list[Mark], told: Callable[[int], None]
) -> Chain:
    chain = Chain(writer, notary)
    for mark in marks:
        chain.expect(mark)
    for kept in await store.checkpoints(writer):
        chain.expect_signed(kept.id, kept.token)
    async for row in store.rows(writer):
        chain.take(row)
        if chain.rows % _TOLD_EVERY == 0:
            told(chain.rows)
    chain.end()
    return chain
