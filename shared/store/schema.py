"""The tables, as migrations in order. A released one is never changed: what comes later is a new one."""

import msgspec

from shared.errors import Unavailable
from shared.store.flavor import Flavor

Migration = tuple[str, ...]

VERSION_TABLE = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)"
VERSION_READ = "SELECT max(version) FROM schema_version"


def _narrowed(table: str, dimensions: tuple[str, ...]) -> Migration:
    """A table of sums by some of the dimensions, and in it what `spend` holds already. The digest of one of
    the lines behind each sum stands for those of all."""
    texts = ", ".join(f"{name} TEXT NOT NULL" for name in dimensions)
    names = ", ".join(dimensions)
    return (
        f"""CREATE TABLE {table} (
            span BIGINT NOT NULL, start BIGINT NOT NULL, cube {{blob}} NOT NULL, {texts},
            calls BIGINT NOT NULL, tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL,
            cost_micros BIGINT NOT NULL, PRIMARY KEY (span, start, cube)) {{compact}}""",
        f"""INSERT INTO {table} (span, start, cube, {names}, calls, tokens_in, tokens_out, cost_micros)
            SELECT span, start, {{least_cube}}, {names},
                sum(calls), sum(tokens_in), sum(tokens_out), sum(cost_micros)
            FROM spend GROUP BY span, start, {names}""",
    )


_LEDGER: Migration = (
    # `body` is what was sealed, `hash` its digest; the others are copies that queries read.
    """CREATE TABLE ledger (
        id TEXT PRIMARY KEY, writer TEXT NOT NULL, seq BIGINT NOT NULL, tenant TEXT NOT NULL,
        chain TEXT NOT NULL, started_at BIGINT NOT NULL, service TEXT NOT NULL, principal TEXT NOT NULL,
        actor TEXT NOT NULL, team TEXT NOT NULL, project TEXT NOT NULL, key TEXT NOT NULL,
        resource TEXT NOT NULL, action TEXT NOT NULL, decision TEXT NOT NULL, outcome TEXT NOT NULL,
        model TEXT NOT NULL, provider TEXT NOT NULL, server TEXT NOT NULL, tool TEXT NOT NULL,
        tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL, cost_micros BIGINT NOT NULL,
        spent BIGINT NOT NULL, checkpoint BIGINT NOT NULL, hash {blob} NOT NULL, body {blob} NOT NULL)""",
    # Not unique: a forged second row must be found by an audit, not keep the true one out.
    "CREATE INDEX ledger_writer ON ledger (writer, seq)",
    "CREATE INDEX ledger_chain ON ledger (chain)",
    "CREATE INDEX ledger_time ON ledger (started_at)",
    "CREATE INDEX ledger_principal ON ledger (principal, started_at)",
    "CREATE INDEX ledger_actor ON ledger (actor, started_at)",
    # `cube` is a digest of the dimensions, `span` how much time a line stands for.
    """CREATE TABLE spend (
        span BIGINT NOT NULL, start BIGINT NOT NULL, cube {blob} NOT NULL, tenant TEXT NOT NULL,
        team TEXT NOT NULL, project TEXT NOT NULL, principal TEXT NOT NULL, actor TEXT NOT NULL,
        key TEXT NOT NULL, service TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
        server TEXT NOT NULL, tool TEXT NOT NULL, calls BIGINT NOT NULL, tokens_in BIGINT NOT NULL,
        tokens_out BIGINT NOT NULL, cost_micros BIGINT NOT NULL,
        PRIMARY KEY (span, start, cube)) {compact}""",
    "CREATE TABLE checkpoints (id TEXT PRIMARY KEY, writer TEXT NOT NULL, token TEXT NOT NULL) {compact}",
)
_CONTROL: Migration = (
    """CREATE TABLE keys (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
        created_at BIGINT NOT NULL, revoked_at BIGINT NOT NULL, used_at BIGINT NOT NULL,
        record {blob} NOT NULL)""",
    """CREATE TABLE kills (id TEXT PRIMARY KEY, at BIGINT NOT NULL, lifted_at BIGINT NOT NULL,
        lifted_by TEXT NOT NULL, record {blob} NOT NULL)""",
    """CREATE TABLE policies (version BIGINT PRIMARY KEY, rules {blob} NOT NULL, author TEXT NOT NULL,
        reason TEXT NOT NULL, at BIGINT NOT NULL)""",
    """CREATE TABLE signing_keys (kid TEXT PRIMARY KEY, issuer TEXT NOT NULL, jwk {blob} NOT NULL,
        seen_at BIGINT NOT NULL)""",
)

_POLICY_NUMBERS: Migration = (
    "ALTER TABLE policies ADD COLUMN number BIGINT",
    """UPDATE policies SET number =
        (SELECT count(*) FROM policies AS older WHERE older.version <= policies.version)""",
    "CREATE UNIQUE INDEX policies_number ON policies (number)",
)

_AGENTS: Migration = (
    """CREATE TABLE agents (name TEXT PRIMARY KEY, tenant TEXT NOT NULL, at BIGINT NOT NULL,
        record {blob} NOT NULL)""",
)

_CATALOG: Migration = (
    """CREATE TABLE catalog (kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
        record {blob} NOT NULL, PRIMARY KEY (kind, name, version))""",
)

_MARKS: Migration = (
    """CREATE TABLE marks (kind TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL,
        PRIMARY KEY (kind, name))""",
)

_NARROW_CUBES: Migration = tuple(
    statement
    for table, dimensions in (
        ("spend_by_model", ("tenant", "team", "project", "service", "model", "provider")),
        ("spend_by_agent", ("tenant", "team", "actor", "service")),
        ("spend_by_tool", ("tenant", "team", "server", "tool")),
        ("spend_by_principal", ("tenant", "team", "project", "principal", "key", "service")),
    )
    for statement in _narrowed(table, dimensions)
)

_MONTHS: Migration = tuple(
    f"""INSERT INTO {table} (span, start, cube, {dimensions}, calls, tokens_in, tokens_out, cost_micros)
        SELECT {31 * 24 * 3_600_000_000}, {{month_start}}, {{least_cube}}, {dimensions},
            sum(calls), sum(tokens_in), sum(tokens_out), sum(cost_micros)
        FROM {table} WHERE span = {24 * 3_600_000_000} GROUP BY 2, {dimensions}"""
    for table, dimensions in (
        (
            "spend",
            "tenant, team, project, principal, actor, key, service, model, provider, server, tool",
        ),
        ("spend_by_model", "tenant, team, project, service, model, provider"),
        ("spend_by_agent", "tenant, team, actor, service"),
        ("spend_by_tool", "tenant, team, server, tool"),
        ("spend_by_principal", "tenant, team, project, principal, key, service"),
    )
)

_ACCOUNTS: Migration = ("CREATE TABLE service_accounts (name TEXT PRIMARY KEY, record {blob} NOT NULL)",)

MIGRATIONS: tuple[Migration, ...] = (
    _LEDGER,
    _CONTROL,
    _POLICY_NUMBERS,
    _AGENTS,
    _CATALOG,
    _MARKS,
    _NARROW_CUBES,
    _MONTHS,
    _ACCOUNTS,
)


def pending(version: int, flavor: Flavor, migrations: tuple[Migration, ...] = MIGRATIONS) -> list[str]:
    """What brings a database at `version` (0: empty) up to date. Raises Unavailable if it is ahead of us."""
    if version > len(migrations):
        raise Unavailable(
            f"the database is at schema {version}, this release ends at {len(migrations)}: run the newer one"
        )
    statements: list[str] = []
    for number, migration in enumerate(migrations[version:], start=version + 1):
        words = msgspec.structs.asdict(flavor)
        statements += [text.format(**words) for text in migration]
        statements.append(f"INSERT INTO schema_version (version) VALUES ({number})")
    return statements
