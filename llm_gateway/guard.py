"""Content guards, in their order: each may refuse or rewrite a request before any provider sees it, and a
reply before the caller does. What they are is in `llm_gateway/guards` and `shared/guards`.
"""

from llm_gateway.ask import Ask
from llm_gateway.catalog import Model
from llm_gateway.chat.events import Event
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Format
from llm_gateway.guards.doubled import refuse_doubled
from llm_gateway.guards.run import ChatRun
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.guards.streamed import Streamed
from shared.account import Flight
from shared.guards.section import GuardSection
from shared.identity.principal import Caller


class Inspection:
    """The ticket of one call: what guards have said to its request, and what they still have to say to its
    reply.

    `chat` is set when a guard has rewritten the request; `watches_reply` when some guard wants the reply;
    `sections` tells which guards this call has. `restores`: the reply will hold values of this caller's
    request that the rewritten one does not: nobody else may get it, however alike the two requests look.
    """

    __slots__ = ("_replies", "_streamed", "chat", "restores", "sections", "watches_reply")

    def __init__(
        self,
        chat: Chat | None = None,
        replies: ChatRun | None = None,
        stream: ChatRun | None = None,
        sections: tuple[GuardSection, ...] = (),
        *,
        restores: bool = False,
    ) -> None:
        self.restores = restores
        self.chat = chat
        self.sections = sections
        self._replies = replies
        self._streamed = Streamed(stream) if stream is not None else None
        self.watches_reply = replies is not None or stream is not None

    async def reply(self, reply: Reply) -> Reply:
        """A whole reply as it may go out. Raises Forbidden, UpstreamBroken, Unavailable."""
        return await self._replies.reply(reply) if self._replies is not None else reply

    async def feed(self, events: list[Event]) -> list[Event]:
        """What may go out now that these events of a stream have come. Raises like `reply`, to end the
        stream.
        """
        return await self._streamed.feed(events) if self._streamed is not None else events

    async def end(self) -> list[Event]:
        """What is left of a stream whose last event has been fed."""
        return await self._streamed.end() if self._streamed is not None else []


NOTHING = Inspection()


async def inspect(
    ask: Ask, spoken: Format, flight: Flight, guards: ChatGuards, caller: Caller, model: Model
) -> Inspection:
    """Asks the guards that this call has about its request. Raises Forbidden, Unavailable, BadRequest."""
    active = guards.for_caller(caller, model, flight.entry.tags)
    if not active:
        return NOTHING
    refuse_doubled(ask.body)
    chat = spoken.chat(ask)
    run = guards.run(active, chat, flight)
    seen = await run.request(chat)
    where = run.on("stream" if ask.stream else "reply")
    return Inspection(
        chat=seen if seen is not chat else None,
        replies=where if not ask.stream else None,
        stream=where if ask.stream else None,
        sections=tuple(each.section for each in active),
        restores=run.restores,
    )
