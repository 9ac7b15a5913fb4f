"""Neutral requests as other formats make them; what Anthropic is sent for each is in `tests/golden`."""

import base64

from llm_gateway.chat.parts import Audio, File, Foreign, Image, Refusal, Text, Thinking, ToolCall, ToolResult
from llm_gateway.chat.request import Chat, HostedTool, Message, Output, Reasoning, Tool, ToolChoice

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SEARCH = Tool(
    name="search",
    description="Finds things",
    schema={"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
    strict=True,
)
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def said(role: str, *parts: object) -> Message:
    found = tuple(Text(text=part) if isinstance(part, str) else part for part in parts)
    return Message(role=role, parts=found)  # type: ignore[arg-type]


def chat(*messages: Message, **members: object) -> Chat:
    return Chat(origin="openai_chat", model="fast", messages=messages or (said("user", "Hi"),), **members)  # type: ignore[arg-type]


CHATS: dict[str, Chat] = {
    "text": chat(
        said("system", "Be brief."), said("user", "Hi"), temperature=0.5, stop=("END",), stream=True
    ),
    "system_in_the_middle": chat(
        said("system", "One."),
        said("system", "Two."),
        said("user", "Hi"),
        said("assistant", "Hello"),
        said("system", "From now on in French."),
        said("user", "How are you?"),
    ),
    "system_alone": chat(said("system", "Tell a joke.")),
    "parallel_tools": chat(
        said("user", "Weather in Rome and Oslo?"),
        said(
            "assistant",
            "I look.",
            ToolCall(id="call.1", name="search", arguments='{"q":"Rome", "n": 1.50}'),
            ToolCall(id="call.2", name="search", arguments=""),
        ),
        said("user", ToolResult(call_id="call.1", name="search", content=(Text(text="sunny"),))),
        said("user", "Hurry up"),
        said(
            "user",
            ToolResult(
                call_id="call.2", is_error=True, content=(Text(text="no such place"), Image(data=PIXEL))
            ),
        ),
        tools=(SEARCH, Tool(name="now", cache_point=True)),
        tool_choice=ToolChoice(mode="any", parallel=False),
    ),
    "calls_without_tools": chat(
        said("user", "Hi"),
        said(
            "assistant",
            ToolCall(id="1", name="search", arguments='{"q": "cut o'),
            ToolCall(id="2", name="run", arguments="ls", custom=True),
        ),
        said("user", ToolResult(call_id="1"), ToolResult(call_id="2"), "Sum it up"),
    ),
    "attachments": chat(
        said(
            "user",
            Image(url="https://example.com/cat.png", detail="high"),
            Image(data=PIXEL, media_type="image/png", cache_point=True),
            File(data="JVBERg==", media_type="application/pdf", name="a.pdf"),
            File(data=base64.b64encode("Grüße".encode()).decode(), media_type="text/markdown"),
            File(id="file_1"),
            File(url="https://example.com/a.pdf", media_type="application/pdf"),
            File(data="UEsDBA==", media_type="application/zip"),
            Audio(media_type="audio/wav", data="UklGRg=="),
            "What is this?",
        ),
    ),
    "nothing_empty": chat(
        said("system", " "),
        said("user", ""),
        said("user", "Hi", "\n"),
        said("assistant"),
        said("assistant", "", Refusal(text="I will not.")),
        said("user", "Please"),
    ),
    "effort": chat(reasoning=Reasoning(effort="high"), temperature=0.2, top_p=0.5, top_k=3),
    "effort_and_little_room": chat(reasoning=Reasoning(effort="high", show=False), max_tokens=4_000),
    "effort_and_no_room": chat(reasoning=Reasoning(effort="low"), max_tokens=200),
    "effort_and_a_forced_tool": chat(
        reasoning=Reasoning(effort="low"),
        tools=(SEARCH,),
        tool_choice=ToolChoice(mode="named", name="search"),
    ),
    "effort_after_calls_without_thoughts": chat(
        said("user", "Hi"),
        said("assistant", ToolCall(id="1", name="search", arguments="{}")),
        said("user", ToolResult(call_id="1", content=(Text(text="x"),))),
        tools=(SEARCH,),
        reasoning=Reasoning(effort="medium"),
    ),
    "no_effort": chat(reasoning=Reasoning(effort="none"), temperature=1.7, top_p=0.9),
    "thoughts": chat(
        said("user", "Hi"),
        said("assistant", Thinking(text="mine", signature="s", origin="anthropic"), "Hello"),
        said("user", "And?"),
        said(
            "assistant",
            Thinking(signature="r", origin="anthropic", redacted=True),
            Thinking(text="other", origin="gemini"),
            "So.",
        ),
        said("user", "Well"),
        reasoning=Reasoning(budget=5_000),
    ),
    "schema": chat(output=Output(kind="schema", name="place", schema=_SCHEMA, strict=True), max_tokens=50),
    "json": chat(said("system", "Be brief."), said("user", "Hi"), output=Output(kind="json")),
    "unsayable": chat(
        Message(
            role="user",
            name="bob",
            parts=(Text(text="Hi"), Foreign(origin="gemini", kind="executableCode", value={"type": "x"})),
        ),
        seed=1,
        n=2,
        presence_penalty=0.5,
        frequency_penalty=0.0,
        logprobs=3,
        metadata={"team": "blue"},
        service_tier="flex",
        stop=("\n",),
        user="user-1",
        tools=(HostedTool(origin="openai_chat", kind="web_search", value={"type": "web_search"}),),
        tool_choice=ToolChoice(mode="any"),
        extra={"logit_bias": {"1": 2}, "store": True},
    ),
    "served_first": chat(service_tier="default", top_p=1.0, temperature=1.0),
}
