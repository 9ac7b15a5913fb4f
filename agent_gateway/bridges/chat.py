"""A chat endpoint that speaks as OpenAI's does, in the place of an agent. It has no memory: it is told again
what was said before.
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from agent_gateway.bridges import Said, Work
from agent_gateway.bridges.asked import Asked, InPart, content_not_supported
from agent_gateway.bridges.credential import own_headers
from agent_gateway.bridges.deltas import deltas
from agent_gateway.bridges.memory import Memory, Turn
from shared.bridges import ChatBridge
from shared.egress import Egress
from shared.errors import Fault, UpstreamBroken, UpstreamRefused
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller

_PATH = "/chat/completions"


class Chat:
    """`edge` is where calls go that have no address of their own; what is registered must pass `egress`."""

    def __init__(self, http: HttpClient, memory: Memory, egress: Egress, *, edge: str) -> None:
        self._http = http
        self._memory = memory
        self._egress = egress
        self._edge = f"{edge.rstrip('/')}/v1"

    async def answer(self, work: Work) -> AsyncGenerator[Said, None]:
        agent, caller = work.target.agent, work.flight.entry.caller
        bridge = agent.bridge
        if not isinstance(bridge, ChatBridge) or caller is None:
            raise Fault(f"{agent.name} is no chat endpoint")
        before = await self._before(work, bridge, caller)
        content = _content(work.asked)
        body = {"model": bridge.model, "messages": [*before, {"role": "user", "content": content}]}
        whole: list[str] = []
        async with await self._open(work, bridge, body | {"stream": True}) as reply:
            yield Said()
            async for text in deltas(reply, cap=bridge.max_answer_bytes):
                whole.append(text)
                yield Said(text=text)
        if not whole:
            raise UpstreamBroken("the chat endpoint answered without a word")
        await self._memory.keep(
            agent.name,
            caller,
            work.context,
            [Turn("user", _words(work.asked)), Turn("assistant", "".join(whole))],
            most=bridge.memory_messages,
            size=bridge.memory_bytes,
        )

    async def _before(self, work: Work, bridge: ChatBridge, caller: Caller) -> list[dict[str, Any]]:
        told = [{"role": "system", "content": bridge.system}] if bridge.system else []
        turns = await self._memory.turns(
            work.target.agent.name,
            caller,
            work.context,
            most=bridge.memory_messages,
            size=bridge.memory_bytes,
        )
        return [*told, *({"role": turn.role, "content": turn.content} for turn in turns)]

    async def _open(self, work: Work, bridge: ChatBridge, body: dict[str, Any]) -> Reply:
        """The endpoint's answer, once it is one. Raises UpstreamFault, Forbidden."""
        agent = work.target.agent
        base = bridge.url.rstrip("/") or self._edge
        guarded = agent.guarded and bool(bridge.url)
        reply = await self._http.send(
            "POST",
            base + _PATH,
            headers=[
                *own_headers(work.target, inside=not bridge.url),
                ("content-type", "application/json"),
                ("accept", "text/event-stream, application/json"),
            ],
            body=msgspec.json.encode(body),
            connect_timeout=agent.timeouts.connect_seconds,
            header_timeout=agent.timeouts.header_seconds,
            idle_timeout=agent.timeouts.idle_seconds,
            pinned=await self._egress.check(base) if guarded else None,
        )
        if reply.status != 200:
            raise await _refusal(reply)
        return reply


async def _refusal(reply: Reply) -> UpstreamRefused:
    async with reply:
        after = reply.header("retry-after") or ""
        return UpstreamRefused(
            f"the chat endpoint answered HTTP {reply.status}",
            upstream_status=reply.status,
            retryable=reply.status == 429 or reply.status >= 500,
            retry_after=float(after) if after.isascii() and after.isdigit() and len(after) < 5 else None,
        )


def _words(asked: Asked) -> str:
    """What is remembered of a message: files are not."""
    return "\n".join(text for part in asked.parts if (text := _text(part)))


def _content(asked: Asked) -> str | list[dict[str, Any]]:
    """Raises BadRequest where there is something that no chat endpoint understands."""
    if all(not part.raw and not part.url for part in asked.parts):
        words = _words(asked)
        if not words:
            raise content_not_supported("the message has nothing to say")
        return words
    return [_piece(part) for part in asked.parts]


def _piece(part: InPart) -> dict[str, Any]:
    if not part.raw and not part.url:
        return {"type": "text", "text": _text(part)}
    if not part.mediaType.startswith("image/"):
        raise content_not_supported("of files, a chat endpoint is only sent images")
    url = part.url or f"data:{part.mediaType};base64,{part.raw}"
    return {"type": "image_url", "image_url": {"url": url}}


def _text(part: InPart) -> str:
    if part.text is not None:
        return part.text
    return msgspec.json.encode(part.data).decode() if part.data is not None else ""
