"""Anthropic's format as providers speak it.

Source: https://docs.anthropic.com/en/api/messages and the types of the official client.
"""

from typing import Any

import msgspec

from llm_gateway.chat.parts import ToolCall
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat, Tool
from llm_gateway.formats import Outbound
from llm_gateway.formats.anthropic.blocks import Block
from llm_gateway.formats.anthropic.conversation import conversation
from llm_gateway.formats.anthropic.decoder import AnthropicDecoder, read_whole
from llm_gateway.formats.anthropic.sampling import sampling
from llm_gateway.formats.anthropic.schema import closed
from llm_gateway.formats.anthropic.signatures import ORIGIN
from llm_gateway.formats.anthropic.thinking import Allowance, own, translated
from llm_gateway.formats.anthropic.tools import written_choice, written_tools

_JSON_WISH = "Answer with one JSON object and nothing else: no other words and no code fence around it."
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


class AnthropicWire:
    """`max_tokens` is what a caller may get who did not say how long the answer may be: Anthropic must be
    told.

    `adaptive`: the models find their own thinking budget; `system_role`: they take messages of the system
    within a conversation. Callers of Anthropic's own format know what their model takes and are not
    second-guessed.
    """

    name = ORIGIN
    stream_type = "text/event-stream"

    def __init__(self, *, max_tokens: int = 4_096, adaptive: bool = False, system_role: bool = False) -> None:
        self._max_tokens = max_tokens
        self._adaptive = adaptive
        self._system_role = system_role

    def request(self, chat: Chat, model: str) -> Outbound:
        dropped = [f"extra.{name}" for name in chat.extra] if chat.origin != ORIGIN else []
        body: Block = dict(chat.extra) if chat.origin == ORIGIN else {}
        system, messages = conversation(chat, dropped, system_role=self._system_role or chat.origin == ORIGIN)
        _output(chat, body, system)
        body |= {"model": model, "messages": messages} | ({"system": system} if system else {})
        _tools(chat, body, dropped)
        self._thinking(chat, body, dropped)
        body |= sampling(chat, body, dropped)
        _about(chat, body, dropped)
        if chat.stream:
            body["stream"] = True
        return Outbound(body=msgspec.json.encode(body), dropped=tuple(dict.fromkeys(dropped)))

    def reply(self, body: bytes) -> Reply:
        return read_whole(body)

    def decoder(self) -> AnthropicDecoder:
        return AnthropicDecoder()

    def _thinking(self, chat: Chat, body: Block, dropped: list[str]) -> None:
        allowance = self._allowed(chat, body, dropped)
        if allowance is None:
            dropped.append("reasoning")
            allowance = Allowance(chat.max_tokens or self._max_tokens)
        body["max_tokens"] = allowance.max_tokens
        if allowance.thinking is not None:
            body["thinking"] = allowance.thinking
        if allowance.effort:
            body["output_config"] = {**body.get("output_config", {}), "effort": allowance.effort}

    def _allowed(self, chat: Chat, body: Block, dropped: list[str]) -> Allowance | None:
        """None where the caller wants thinking that cannot be had."""
        if chat.origin == ORIGIN:
            max_tokens = self._max_tokens if chat.max_tokens is None else chat.max_tokens
            lost = "thinking" in dropped and _unthought(body["messages"])
            return None if lost and chat.reasoning is not None else own(chat.reasoning, max_tokens)
        found = translated(chat.reasoning, chat.max_tokens, self._max_tokens, adaptive=self._adaptive)
        if found is None or found.thinking is None:
            return found
        forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
        return None if forced or (not self._adaptive and _unthought(body["messages"])) else found


def _unthought(messages: list[Block]) -> bool:
    """Whether the turn to be continued has called tools without the thoughts that led there: a model that
    must think is not given such a turn.
    """
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return str(messages[-2]["content"][0]["type"]) not in ("thinking", "redacted_thinking")


def _output(chat: Chat, body: Block, system: list[Block]) -> None:
    if chat.output.kind == "schema":
        schema = chat.output.schema if chat.origin == ORIGIN else closed(chat.output.schema)
        wanted = {"format": {"type": "json_schema", "schema": schema}}
        body["output_config"] = {**body.get("output_config", {}), **wanted}
    elif chat.output.kind == "json":
        system.append({"type": "text", "text": _JSON_WISH})


def _tools(chat: Chat, body: Block, dropped: list[str]) -> None:
    tools = written_tools(chat.tools, dropped)
    if not tools and chat.origin != ORIGIN and (called := _called(chat)):
        # A conversation with calls in it is refused without tools.
        body |= {"tools": written_tools(called, dropped), "tool_choice": {"type": "none"}}
    elif tools:
        body["tools"] = tools
        if chat.tool_choice is not None:
            body["tool_choice"] = written_choice(chat.tool_choice)
    if not tools and chat.tool_choice is not None and chat.tool_choice.mode in ("any", "named"):
        dropped.append("tool_choice")


def _called(chat: Chat) -> tuple[Tool, ...]:
    parts = (part for message in chat.messages for part in message.parts)
    names = dict.fromkeys(part.name for part in parts if isinstance(part, ToolCall))
    return tuple(Tool(name=name) for name in names)


def _about(chat: Chat, body: Block, dropped: list[str]) -> None:
    """Who asks, and who is to be served first."""
    about: dict[str, Any] = {"user_id": chat.user} if chat.user else {}
    if chat.origin == ORIGIN:
        about |= chat.metadata
    elif chat.metadata:
        dropped.append("metadata")
    if about:
        body["metadata"] = about
    if chat.service_tier in _TIERS:
        body["service_tier"] = _TIERS[chat.service_tier]
    elif chat.service_tier:
        dropped.append("service_tier")
