"""Entries and sealed rows for tests: a caller of a tenant, a call that went well, and chains of such rows."""

from typing import Any

from shared.identity.principal import Caller, Principal
from shared.ledger.entry import Entry, Outcome, Usage, new_id
from shared.ledger.row import Row, SealedRow, row_of, seal

START_US = 1_800_000_000_000_000


def caller(
    sub: str = "user:alice",
    tenant: str = "acme",
    *,
    agents: tuple[str, ...] = (),
    team: str = "",
    project: str = "",
    **more: Any,
) -> Caller:
    principal = Principal(sub=sub, tenant=tenant, team=team, project=project)
    given: dict[str, Any] = {"chain": new_id(), "credential": "identity", **more}
    return Caller(principal=principal, actors=(sub, *agents), **given)


def entry(who: Caller | None = None, *, usage: Usage | None = None, **fields: Any) -> Entry:
    given: dict[str, Any] = {
        "id": new_id(),
        "service": "llm_gateway",
        "started_at": START_US,
        "outcome": Outcome.COMPLETED,
    }
    given |= {"decision": "allow", "resource": "model:fast", "action": "invoke", "status": 200}
    return Entry(**{**given, **fields}, caller=who or caller(), usage=usage or Usage())


def sealed(call: Entry, *, writer: str = "llm_gateway-w", seq: int = 1, prev: str = "") -> SealedRow:
    return SealedRow(*seal(row_of(call, writer=writer, seq=seq, prev=prev)))


def sealed_row(row: Row) -> SealedRow:
    return SealedRow(*seal(row))


def chained(entries: list[Entry], writer: str = "llm_gateway-w") -> list[SealedRow]:
    """The rows that one writer makes of these entries."""
    rows: list[SealedRow] = []
    for seq, call in enumerate(entries, start=1):
        rows.append(sealed(call, writer=writer, seq=seq, prev=rows[-1].hash.hex() if rows else ""))
    return rows
