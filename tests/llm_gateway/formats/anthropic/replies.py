"""Neutral replies; how Anthropic writes each, whole and streamed, is in `tests/golden`."""

from llm_gateway.chat.parts import Foreign, Refusal, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from shared.ledger.entry import Usage

USAGE = Usage(tokens_in=20, tokens_out=8, cached=12, cache_write=2, reasoning=3)
_CITATION = {
    "type": "char_location",
    "cited_text": "the sky",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 7,
    "file_id": None,
}
_SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "sky"}}
_FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "title": "Sky",
            "url": "https://example.com",
            "encrypted_content": "x",
            "page_age": None,
        }
    ],
}


def reply(*parts: object, stop: Stop = Stop.END, **members: object) -> Reply:
    given = {"id": "msg_1", "model": "claude-1", "usage": USAGE} | members
    return Reply(parts=parts, stop=stop, **given)  # type: ignore[arg-type]


# Those that come back from Anthropic's format as they went there.
OWN: dict[str, Reply] = {
    "text": reply(Text(text="Hello \N{SNOWMAN}")),
    "nothing": reply(),
    "cut_off": reply(Text(text="Hel"), stop=Stop.LENGTH),
    "stop_sequence": reply(Text(text="Hel"), stop=Stop.SEQUENCE, stop_sequence="END"),
    "paused": reply(Text(text="Hel"), stop=Stop.PAUSE),
    "filtered": reply(stop=Stop.FILTERED),
    "parallel_tools": reply(
        Text(text="I look."),
        ToolCall(id="toolu_1", name="search", arguments='{"q":"Rome","n":1.5}'),
        ToolCall(id="toolu_2", name="now", arguments="{}"),
        stop=Stop.TOOLS,
    ),
    "thinking": reply(
        Thinking(text="Let me see", signature="c2ln", origin="anthropic"),
        Thinking(signature="cmVkYWN0ZWQ=", origin="anthropic", redacted=True),
        Text(text="42"),
    ),
    "server_tools": reply(
        Foreign(origin="anthropic", kind="server_tool_use", value=_SEARCH),
        Foreign(origin="anthropic", kind="web_search_tool_result", value=_FOUND),
        Text(text="Blue."),
        Foreign(origin="anthropic", kind="text.citations", value={"citations": [_CITATION]}),
        Text(text="Really."),
    ),
}
# Those of other providers, which Anthropic's clients get as well as its format can say it.
OTHERS: dict[str, Reply] = {
    "uncounted": reply(Text(text="Hello there"), id="", model="", usage=None),
    "refusal": reply(Refusal(text="I will not.")),
    "foreign_thoughts": reply(
        Thinking(text="Hm", signature="Z3M=", origin="gemini"),
        Thinking(text="Hm hm", origin="openai_chat"),
        ToolCall(id="toolu_1", name="search", arguments="{}", signature="c2c=", origin="gemini"),
        Foreign(origin="gemini", kind="executableCode", value={"executableCode": {}}),
        stop=Stop.TOOLS,
    ),
    "cut_call": reply(ToolCall(id="toolu_1", name="search", arguments='{"q":"Ro'), stop=Stop.LENGTH),
    "custom_call": reply(
        ToolCall(id="toolu_1", name="run", arguments='say "hi"\n', custom=True), stop=Stop.TOOLS
    ),
}
