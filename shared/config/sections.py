"""The sections that all services share. Relative paths are relative to the configuration file."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from shared.config.build import Secret
from shared.config.control import ControlSection
from shared.identity.issuer import Issuer
from shared.identity.principal import ChainBudget
from shared.policy.document import PolicyDocument

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0)]
WebAddress = Annotated[str, Meta(pattern=r"^(https?://\S+)?$")]
Share = Annotated[float, Meta(ge=0, le=1)]


class IdentitySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`keys_dir` holds this service's signing keys (made on first start). `trust` maps an issuer to where
    its key set is: an `http(s)://` address or a file. `issuers` are identity providers outside, whose tokens
    callers may come with.
    """

    keys_dir: str = ".gatestack/keys"
    trust: dict[str, str] = field(
        default_factory=lambda: {
            "api_gateway": "http://127.0.0.1:8080/.well-known/jwks.json",
            "llm_gateway": "http://127.0.0.1:8081/.well-known/jwks.json",
            "mcp_gateway": "http://127.0.0.1:8082/.well-known/jwks.json",
            "agent_gateway": "http://127.0.0.1:8083/.well-known/jwks.json",
        }
    )
    token_seconds: Annotated[int, Meta(ge=5, le=120)] = 60
    delegation_seconds: Annotated[int, Meta(ge=5, le=86400)] = 900
    issuers: list[Issuer] = []


class StateSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where state lives. `embedded` is a Valkey of our own on a unix socket, and SQLite, both below `dir`.

    `lease_seconds` is how long what a killed process had reserved stays taken; a call that lasts longer no
    longer counts against concurrency, and is booked all the same. `fsync` is the embedded Valkey's:
    `everysec` loses nothing when a process dies and up to a second when the machine does.
    """

    dir: str = ".gatestack"
    redis: str = "embedded"
    redis_password: Secret = field(default_factory=lambda: Secret(""))
    sql: str = "embedded"
    sql_password: Secret = field(default_factory=lambda: Secret(""))
    fsync: Literal["everysec", "always"] = "everysec"
    lease_seconds: Annotated[int, Meta(ge=10, le=86400)] = 600


class ChainSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What any one chain may do as a whole, unless its key is allowed less. Money in micro-dollars, time in
    seconds. `max_depth` is how often it may be delegated on, `max_children` how many calls of agents each of
    its agents may make, `max_repeats` how often one agent may be told the same.
    """

    max_depth: Annotated[int, Meta(ge=0, le=32)] = 5
    max_children: Annotated[int, Meta(ge=1)] = 50
    max_repeats: Annotated[int, Meta(ge=1)] = 10
    budget: ChainBudget = ChainBudget(
        micros=5_000_000, model_calls=500, tool_calls=500, agent_calls=100, seconds=3600
    )


class KillSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kill list that could not be confirmed for `max_age_seconds` refuses every call."""

    max_age_seconds: Seconds = 10.0


class TelemetrySection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`sample` is the share of new traces that is exported. `log` writes one JSON line a call to standard
    output. By `otlp` metrics go out as well, every `metrics_seconds`, and with `logs` a log record a call.
    `semconv`: OpenTelemetry's names for model, tool and agent calls, up to 1.41 (`old`) or since (`new`).
    """

    sample: Share = 0.0
    exporter: Literal["none", "console", "file", "otlp"] = "none"
    endpoint: WebAddress = ""
    semconv: Literal["old", "new", "both"] = "new"
    logs: bool = False
    metrics_seconds: Annotated[float, Meta(ge=1, le=3600)] = 15.0
    file: str = ".gatestack/spans.jsonl"
    log: bool = False


class AlertsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where alerts go besides the log. `secret` signs them, `headers` go along. One that is not taken is sent
    again, `attempts` times in all, after longer and longer pauses.
    """

    webhook: WebAddress = ""
    secret: Secret = field(default_factory=lambda: Secret(""))
    headers: dict[str, Secret] = {}
    attempts: Annotated[int, Meta(ge=1, le=100)] = 10


class ApprovalsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that needs a person's consent waits for `wait_seconds`, and is refused then. For `open_seconds`
    somebody can still decide, and the same call, sent again, goes through. At most `most_pending` calls of
    one principal are open at once.
    """

    wait_seconds: Annotated[float, Meta(ge=0, le=3600)] = 45.0
    open_seconds: Annotated[float, Meta(ge=1, le=604_800)] = 3600.0
    most_pending: Annotated[int, Meta(ge=1, le=10_000)] = 20


class Shared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    identity: IdentitySection = IdentitySection()
    state: StateSection = field(default_factory=StateSection)
    # Read into plain rules: its tests are for `gatestack policy check` alone.
    policy: PolicyDocument = field(default_factory=PolicyDocument)
    chain: ChainSection = ChainSection()
    kill: KillSection = KillSection()
    telemetry: TelemetrySection = TelemetrySection()
    alerts: AlertsSection = field(default_factory=AlertsSection)
    approvals: ApprovalsSection = ApprovalsSection()
    control: ControlSection = ControlSection()
