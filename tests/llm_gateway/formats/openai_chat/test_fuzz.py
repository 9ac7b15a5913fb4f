"""Whatever a caller sends, it is understood or refused; nothing else comes of it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.chat.events import events_of
from llm_gateway.chat.parts import Text
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats import Format
from llm_gateway.formats.openai_chat import OpenAIChat, OpenAIChatWire
from llm_gateway.formats.openai_responses import OpenAIResponses, OpenAIResponsesWire
from shared.errors import BadRequest

CHAT, RESPONSES = OpenAIChat(), OpenAIResponses()
WIRES = (OpenAIChatWire(), OpenAIResponsesWire())
REPLY = Reply(id="x", model="m", parts=(Text(text="a"),), stop=Stop.END)
_WORDS = """
type role content text user assistant system tool function functions name image_url url
data:image/png;base64,AAAA data:x input_text output_text message file reasoning summary encrypted_content
function_call function_call_output call_id output tool_calls tool_call_id id arguments custom mcp server_url
json_schema schema format effort thinking_blocks signature reasoning_content extra_content gatestack
allowed_tools tools mode required auto input_image input_file file_data file_id
"""
_MEMBERS = """
messages input instructions tools tool_choice functions function_call response_format text reasoning
reasoning_effort stop n stream stream_options metadata temperature max_tokens max_output_tokens
parallel_tool_calls previous_response_id store logprobs top_logprobs service_tier user verbosity background
include
"""
WORDS, MEMBERS = _WORDS.split(), _MEMBERS.split()
scalars = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.sampled_from(WORDS)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=16,
)
bodies = st.dictionaries(st.sampled_from(MEMBERS), values, max_size=6)


@pytest.mark.parametrize(
    ("spoken", "least"), [(CHAT, {"messages": []}), (RESPONSES, {"input": []})], ids=["chat", "responses"]
)
@given(members=bodies)
def test_any_json_is_understood_or_refused(spoken: Format, least: Any, members: Any) -> None:
    body = msgspec.json.encode({"model": "fast"} | least | members)
    try:
        ask = spoken.read(body, {})
        chat = spoken.chat(ask)
    except BadRequest:
        return
    for wire in WIRES:
        msgspec.json.decode(wire.request(chat, "real").body)
    writer = spoken.writer(ask)
    for event in events_of(REPLY):
        writer.write(event)
    msgspec.json.decode(spoken.reply(REPLY, ask))


@pytest.mark.parametrize("spoken", [CHAT, RESPONSES], ids=["chat", "responses"])
@pytest.mark.parametrize(
    "text", [r'"\ud800"', '"' + "\N{SNOWMAN}" * 3 + '"', "[" * 50 + "]" * 50, "[" * 5_000, r'"\u0000"']
)
def test_strange_json_is_understood_or_refused(spoken: Format, text: str) -> None:
    body = (
        f'{{"model":"fast","messages":[{{"role":"user","content":{text}}}],"input":{text},"tools":[{text}]}}'
    )
    try:
        chat = spoken.chat(spoken.read(body.encode(), {}))
    except BadRequest:
        return
    for wire in WIRES:
        wire.request(chat, "real")
