"""What agents answer in A2A 1.0, read by those of us who are their clients: messages, tasks, events, errors.

Source: https://a2a-protocol.org/latest/specification/ (JSON-RPC binding).
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from shared.errors import (
    BadRequest,
    BudgetExceeded,
    DelegationRefused,
    Forbidden,
    GatestackError,
    LimitExceeded,
    NotFound,
    Refusal,
    Unapproved,
    UpstreamBroken,
    UpstreamRefused,
)
from shared.jsonrpc import Envelope

NO_ANSWER = "the agent's answer is not what A2A prescribes"
_FAILED = frozenset(("TASK_STATE_FAILED", "TASK_STATE_REJECTED", "TASK_STATE_CANCELED"))
_WAITING = frozenset(("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED"))
# What this stack, or the agent, refuses is refused: nobody else need be asked, and nothing is broken.
_REFUSALS: dict[str, type[Refusal]] = {
    "FORBIDDEN": Forbidden,
    "DELEGATION": DelegationRefused,
    "APPROVAL": Unapproved,
    "KILLED": Forbidden,
    "NOT_FOUND": NotFound,
    "TASK_NOT_FOUND": NotFound,
    "LIMIT": LimitExceeded,
    "BUDGET": BudgetExceeded,
    "INVALID_PARAMS": BadRequest,
    "INVALID_REQUEST": BadRequest,
    "CONTENT_TYPE_NOT_SUPPORTED": BadRequest,
}
_LONGEST_WORDS = 500


class Part(Struct):
    """Exactly one of `text`, `raw` (base64), `url` and `data` (JSON)."""

    text: str | None = None
    raw: str = ""
    url: str = ""
    data: Raw = Raw()
    mediaType: str = ""
    filename: str = ""


class Message(Struct):
    parts: list[Part] = []
    contextId: str | None = None
    taskId: str | None = None


class Status(Struct):
    state: str = ""
    message: Message | None = None

    @property
    def failed(self) -> bool:
        return self.state in _FAILED

    @property
    def waits(self) -> bool:
        """Whether the agent wants to hear more: its question is its answer."""
        return self.state in _WAITING

    @property
    def ended(self) -> bool:
        """Whether nothing more comes by itself."""
        return self.failed or self.waits or self.state == "TASK_STATE_COMPLETED"

    @property
    def parts(self) -> list[Part]:
        return self.message.parts if self.message is not None else []

    @property
    def word(self) -> str:
        """The state in plain words: `completed`, `input required`."""
        return self.state.removeprefix("TASK_STATE_").replace("_", " ").lower()


class Artifact(Struct):
    artifactId: str = ""
    parts: list[Part] = []


class Task(Struct):
    id: str = ""
    contextId: str | None = None
    status: Status = msgspec.field(default_factory=Status)
    artifacts: list[Artifact] = []


class Update(Struct):
    taskId: str = ""
    contextId: str | None = None
    status: Status | None = None
    artifact: Artifact | None = None


class Event(Struct):
    """SendMessageResponse and StreamResponse: exactly one of these is there."""

    task: Task | None = None
    message: Message | None = None
    statusUpdate: Update | None = None
    artifactUpdate: Update | None = None

    @property
    def ids(self) -> tuple[str, str]:
        """The task and the context that it is about, "" where it does not say."""
        if self.task is not None:
            return self.task.id, self.task.contextId or ""
        told = self.message or self.statusUpdate or self.artifactUpdate
        return (told.taskId or "", told.contextId or "") if told is not None else ("", "")


class _Error(Struct):
    code: int = 0
    message: str = ""
    data: Any = None


_ENVELOPE = msgspec.json.Decoder(Envelope)
_EVENT = msgspec.json.Decoder(Event)


def event_of(body: bytes) -> Event:
    """One JSON-RPC answer. Raises Refusal for what was refused, UpstreamRefused for any other error, with
    A2A's number as its `code`, and UpstreamBroken for what is none.
    """
    try:
        envelope = _ENVELOPE.decode(body)
        if bytes(envelope.error) not in (b"", b"null"):
            raise _refused(msgspec.json.decode(envelope.error, type=_Error))
        return _EVENT.decode(envelope.result)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken(NO_ANSWER, cause=error) from error


def text_of(parts: list[Part]) -> str:
    """The words of `parts`, and data as the JSON that it is."""
    return "".join(part.text if part.text is not None else bytes(part.data).decode() for part in parts)


def _refused(error: _Error) -> GatestackError:
    """Its number alone does not say what a refusal is: its reason does."""
    details = error.data if isinstance(error.data, list) else []
    reasons = [str(each.get("reason", "")) for each in details if isinstance(each, dict)]
    kind = next((_REFUSALS[reason] for reason in reasons if reason in _REFUSALS), None)
    words = f"the agent was not asked, or refused: {error.message[:_LONGEST_WORDS]}"
    if kind is not None:
        return kind(words)
    refused = UpstreamRefused(words, upstream_status=502, retryable=False)
    refused.code = error.code
    return refused
