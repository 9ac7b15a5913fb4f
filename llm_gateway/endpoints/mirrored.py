"""The copy of an endpoint's call for a mirror."""

from llm_gateway.catalog import Target
from llm_gateway.endpoints.attempt import Answer, Attempt, Events
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry
from llm_gateway.endpoints.tab import Tab
from llm_gateway.endpoints.upstream import Upstream
from llm_gateway.router.shadow import Shadow
from llm_gateway.router.state import size_class
from shared.asgi import Headers
from shared.clock import Clock
from shared.http_client import Reply


class InquiryCopy:
    """`passed` are those of the caller's headers that go on."""

    def __init__(
        self,
        upstream: Upstream,
        shadow: Shadow,
        endpoint: Endpoint,
        inquiry: Inquiry,
        passed: Headers,
        clock: Clock,
        *,
        max_reply_bytes: int,
    ) -> None:
        self.size = size_class(inquiry)
        self._tab = Tab(shadow.entry, inquiry, clock)
        self._attempt = Attempt(
            upstream, shadow, endpoint, inquiry, self._tab, passed, max_reply_bytes=max_reply_bytes
        )
        self._answer: Answer | None = None

    async def begin(self, target: Target) -> Reply:
        self._answer = await self._attempt(target)
        return self._answer.reply

    async def drain(self) -> None:
        content = self._answer.content if self._answer is not None else None
        if not isinstance(content, Events):
            return
        reader, chunks = content.reader, content.chunks
        while not (reader.done or reader.fault):
            chunk = await anext(chunks, None)
            _ = reader.feed(chunk) if chunk is not None else reader.end()
        if reader.fault is not None:
            raise reader.fault

    def write(self) -> None:
        self._tab.write()
