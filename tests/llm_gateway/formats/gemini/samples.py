"""Requests and replies that the golden files of `tests/golden/gemini` hold the other side of."""

from pathlib import Path
from typing import Any

import msgspec

from llm_gateway.chat.parts import Audio, File, Image, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.chat.request import Chat, HostedTool, Message, Output, Reasoning, Tool, ToolChoice
from shared.ledger.entry import Usage

GOLDEN = Path(__file__).parents[3] / "golden" / "gemini"
PIXEL = "iVBORw0KGgo="
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
COUNTED = Usage(tokens_in=20, tokens_out=8, cached=12, reasoning=3)


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes())
    return found


def user(*parts: Any) -> Message:
    return Message(role="user", parts=parts)


def assistant(*parts: Any) -> Message:
    return Message(role="assistant", parts=parts)


def chat(*messages: Message, **fields: Any) -> Chat:
    """A call that came in OpenAI's format."""
    given = messages or (user(Text(text="How are you?")),)
    return Chat(**{"origin": "openai_chat", "model": "fast", "messages": given, **fields})


def reply(*parts: Any, stop: Stop = Stop.END, **fields: Any) -> Reply:
    return Reply(
        **{"id": "msg_1", "model": "other-1", "parts": parts, "stop": stop, "usage": COUNTED, **fields}
    )


CHATS: dict[str, tuple[Chat, str]] = {
    "plain": (
        chat(
            Message(role="system", parts=(Text(text="Be brief."),)),
            user(Text(text="Hello")),
            assistant(Text(text="Hi.")),
            user(Text(text="How are you?")),
            temperature=0.5,
            top_p=0.9,
            top_k=40,
            max_tokens=100,
            stop=("END",),
            seed=7,
            presence_penalty=0.1,
            frequency_penalty=0.2,
        ),
        "gemini-2.5-flash",
    ),
    "tools": (
        chat(
            user(Text(text="Weather in Rome and Oslo?")),
            assistant(
                ToolCall(id="call_a", name="weather", arguments='{"city":"Rome"}'),
                ToolCall(id="call_b", name="weather", arguments='{"city":"Oslo"}'),
            ),
            user(
                ToolResult(call_id="call_b", content=(Text(text="snow"),)),
                ToolResult(call_id="call_a", content=(Text(text='{"sky":"clear"}'),)),
                Text(text="In Celsius, please."),
            ),
            tools=(
                Tool(name="weather", description="Tells the weather.", schema=WEATHER, strict=True),
                Tool(name="now"),
                HostedTool(origin="openai_responses", kind="web_search", value={"type": "web_search"}),
            ),
            tool_choice=ToolChoice(mode="named", name="weather", parallel=False),
        ),
        "gemini-3-pro-preview",
    ),
    "tools_signed": (
        chat(
            user(Text(text="Weather in Rome?")),
            assistant(
                Thinking(text="Rome it is.", signature="c2lnbmVk", origin="gemini"),
                ToolCall(
                    id="gcall_1",
                    name="weather",
                    arguments='{"city":"Rome"}',
                    signature="Y2FsbA==",
                    origin="gemini",
                ),
            ),
            user(
                ToolResult(
                    call_id="gcall_1",
                    content=(Text(text="broken"), Image(media_type="image/png", data=PIXEL)),
                    is_error=True,
                )
            ),
            tools=(Tool(name="weather", schema=WEATHER),),
            tool_choice=ToolChoice(mode="any"),
        ),
        "gemini-3-flash",
    ),
    "media": (
        chat(
            user(
                Text(text="What is this?", cache_point=True),
                Image(media_type="image/png", data=PIXEL, detail="high"),
                Image(url="https://example.com/cat.png"),
                Image(url="gs://bucket/cat.png"),
                Audio(media_type="audio/wav", data="UklGRg=="),
                File(media_type="application/pdf", data="JVBERi0=", name="a.pdf"),
                File(id="file-1"),
            ),
            output=Output(kind="schema", name="answer", schema=WEATHER, strict=True),
            reasoning=Reasoning(effort="high", show=True),
            n=2,
            logprobs=3,
            user="u-1",
            metadata={"a": "b"},
            extra={"logit_bias": {"1": 2}},
        ),
        "gemini-2.5-pro",
    ),
    "foreign_thoughts": (
        chat(
            user(Text(text="Go on")),
            assistant(
                Thinking(text="Hm.", signature="abc", origin="anthropic"),
                Thinking(signature="xyz", origin="anthropic", redacted=True),
                Text(text="Yes."),
            ),
            user(Text(text="And?")),
            output=Output(kind="json"),
            reasoning=Reasoning(budget=2048),
        ),
        "gemini-3-pro",
    ),
}

REPLIES: dict[str, Reply] = {
    "text": reply(Text(text="Hello there")),
    "tools": reply(
        Thinking(text="Rome it is.", signature="EqoBCkgIBRABGAIiQ", origin="anthropic"),
        Thinking(signature="redacted-data", origin="anthropic", redacted=True),
        Text(text="Let me see."),
        ToolCall(id="toolu_1", name="weather", arguments='{"city":"Rome"}'),
        ToolCall(id="toolu_2", name="now"),
        stop=Stop.TOOLS,
    ),
    "length": reply(
        Text(text="Hel"), ToolCall(id="c", name="weather", arguments='{"ci'), stop=Stop.LENGTH, usage=None
    ),
    "blocked": reply(stop=Stop.FILTERED, usage=Usage(tokens_in=20)),
    "filtered": reply(Text(text="I can"), stop=Stop.FILTERED),
    "malformed": reply(ToolCall(id="c", name="weather", arguments="Rome"), stop=Stop.TOOLS),
    "media": reply(
        Image(media_type="image/png", data=PIXEL),
        Audio(media_type="audio/wav", data="UklGRg=="),
        stop=Stop.PAUSE,
        usage=Usage(tokens_in=30, tokens_out=40, audio_in=10, image_in=5, audio_out=20),
    ),
}
