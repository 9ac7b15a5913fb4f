"""The entry: what one request at one service was, did and cost. Filled by the stages, frozen into a row when
it closes.
"""

from enum import StrEnum
from os import urandom

from msgspec import Struct, field

from shared.identity.principal import Caller


class Outcome(StrEnum):
    OPEN = "open"
    COMPLETED = "completed"
    REFUSED = "refused"
    FAILED = "failed"
    BROKEN = "broken"  # it failed after the first byte had gone out
    CLIENT_GONE = "client_gone"
    KILLED = "killed"
    STOPPED = "stopped"


class Usage(Struct, kw_only=True):
    """Tokens as the provider counted them. `tokens_in` includes `cached`, `cache_write`, `audio_in` and
    `image_in`, `tokens_out` includes `reasoning` and `audio_out`. `units` are what is not counted in tokens:
    images made, seconds heard, characters spoken, documents ranked.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    reasoning: int = 0
    cache_write: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    units: int = 0

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


class Entry(Struct, kw_only=True):
    """Mutable while its request runs. Times are microseconds since 1970 (`started_at`) or durations
    (`*_us`).
    """

    id: str
    service: str
    started_at: int
    caller: Caller | None = None
    resource: str = ""
    action: str = ""
    method: str = ""  # as its protocol calls it; for models the endpoint, "" is chat
    streamed: bool = False
    decision: str = ""  # allow | deny | "" where policy was never asked
    rule: str = ""
    epoch: int = 0
    outcome: Outcome = Outcome.OPEN
    reason: str = ""
    detail: str = ""
    status: int = 0
    duration_us: int = 0
    upstream_us: int = 0
    first_byte_us: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_micros: int = 0
    saved_micros: int = 0
    saved_us: int = 0
    cache: str = ""
    tags: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    model: str = ""
    provider: str = ""
    server: str = ""
    tool: str = ""
    agent: str = ""
    skill: str = ""
    task: str = ""
    context: str = ""
    request_id: str = ""
    attempts: int = 0
    trace_id: str = ""
    span_id: str = ""
    digest: str = ""
    times: int = 1  # how many calls this stands for: refusals of strangers share one entry


def new_id() -> str:
    """An id for entries, chains, keys and leases: 26 characters, unguessable, no meaning."""
    return urandom(13).hex()
