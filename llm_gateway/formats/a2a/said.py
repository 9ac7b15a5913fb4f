"""What an agent answers as a reply: the words of its message, or of its task's artifacts and status."""

from llm_gateway.chat.parts import AnyPart, File, Image, Text
from llm_gateway.chat.reply import Reply, Stop
from shared.agent_events import NO_ANSWER, Part, Status, event_of, text_of
from shared.errors import UpstreamBroken, UpstreamRefused
from shared.ledger.entry import Usage

# What the agent has used stands in the entries of its own calls, below this one.
NOTHING_USED = Usage()
_LONGEST_WORDS = 500


def reply_of(body: bytes) -> Reply:
    """Raises UpstreamRefused for an error and for a task that failed, UpstreamBroken for what is neither."""
    event = event_of(body)
    _, context = event.ids
    if event.message is not None:
        return _reply(context, parts_of(event.message.parts))
    if event.task is None:
        raise UpstreamBroken(NO_ANSWER)
    status = event.task.status
    check(status)
    said = [part for artifact in event.task.artifacts for part in parts_of(artifact.parts)]
    if status.waits or not said:
        said += parts_of(status.parts)
    return _reply(context, said)


def check(status: Status) -> None:
    """Raises UpstreamRefused for a task that has not come to its end."""
    if status.failed:
        words = text_of(status.parts)[:_LONGEST_WORDS]
        raise UpstreamRefused(
            f"the agent's task {status.word}" + (f": {words}" if words else ""),
            upstream_status=502,
            retryable=False,
        )


def parts_of(parts: list[Part]) -> list[AnyPart]:
    """Data as the JSON that it is: a chat has no other words for it."""
    found: list[AnyPart] = []
    for part in parts:
        if part.raw or part.url:
            kind = Image if part.mediaType.startswith("image/") else File
            found.append(kind(media_type=part.mediaType, data=part.raw, url=part.url))
        elif words := text_of([part]):
            found.append(Text(text=words))
    return found


def _reply(context: str, parts: list[AnyPart]) -> Reply:
    return Reply(id=context, model="", parts=tuple(parts), stop=Stop.END, usage=NOTHING_USED)
