"""The copy of a chat for a mirror."""

from llm_gateway.answer import Answer, Stream
from llm_gateway.attempt import Attempt
from llm_gateway.bill import Bill
from llm_gateway.call import Call
from llm_gateway.catalog import Target
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import size_class
from shared.asgi import Headers
from shared.clock import Clock
from shared.http_client import HttpClient, Reply


class ChatCopy:
    """`call` is sent as guards have left it, `passed` are those of the caller's headers that go on."""

    def __init__(
        self,
        http: HttpClient,
        shadow: Shadow,
        call: Call,
        passed: Headers,
        clock: Clock,
        *,
        max_reply_bytes: int,
    ) -> None:
        self.size = size_class(call.ask)
        self._bill = Bill(shadow.entry, call.ask, clock)
        self._attempt = Attempt(
            http, shadow, call.copy(), self._bill, list(passed), max_reply_bytes=max_reply_bytes, keep=False
        )
        self._answer: Answer | None = None

    async def begin(self, target: Target) -> Reply:
        self._answer = await self._attempt(target)
        return self._answer.reply

    async def drain(self) -> None:
        content = self._answer.content if self._answer is not None else None
        if not isinstance(content, Stream):
            return
        incoming = content.incoming
        while not (incoming.done or incoming.fault):
            chunk = await anext(content.chunks, None)
            await (incoming.feed(chunk) if chunk is not None else incoming.end())
        if incoming.fault is not None:
            raise incoming.fault

    def write(self) -> None:
        self._bill.write()
