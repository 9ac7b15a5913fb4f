"""What a caller of Gemini's says reaches a provider of Gemini's through the neutral form, and back."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gateway.chat.events import Collector, events_of
from llm_gateway.chat.parts import AnyPart, Audio, Image, Text, Thinking, ToolCall
from llm_gateway.chat.reply import Reply, Stop
from llm_gateway.formats.gemini import request, spoken
from llm_gateway.formats.gemini.decoder import GeminiDecoder
from llm_gateway.formats.gemini.wire import GeminiWire
from shared.errors import BadRequest
from shared.ledger.entry import Usage

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
IDS = st.text("abcdef0123456789", min_size=4, max_size=8).map("call_{}".format)
ARGUMENTS = st.dictionaries(WORDS, st.none() | st.booleans() | st.integers(-9, 9) | WORDS, max_size=3)
SIGNED = st.binary(min_size=1, max_size=12).map(bytes.hex)
CALLS = st.builds(
    lambda id_, name, given: ToolCall(id=id_, name=name, arguments=msgspec.json.encode(given).decode()),
    IDS,
    WORDS,
    ARGUMENTS,
)
FOREIGN = st.builds(
    Thinking, text=WORDS, signature=SIGNED, origin=st.sampled_from(["anthropic", "openai_responses"])
)
REDACTED = st.builds(Thinking, signature=SIGNED, origin=st.just("anthropic"), redacted=st.just(True))
MEDIA = st.sampled_from(
    [Image(media_type="image/png", data="AAAA"), Audio(media_type="audio/wav", data="AAAA")]
)
PARTS: st.SearchStrategy[list[AnyPart]] = st.lists(
    st.one_of(st.builds(Text, text=WORDS), CALLS, FOREIGN, REDACTED, MEDIA), max_size=6
)
USAGES = st.builds(
    lambda given, made, cached, thought: Usage(
        tokens_in=given + cached, tokens_out=made + thought, cached=cached, reasoning=thought
    ),
    *(st.integers(0, 1000) for _ in range(4)),
)


def joined(parts: list[AnyPart]) -> tuple[AnyPart, ...]:
    """Neighbouring texts are one text to Gemini."""
    found: list[AnyPart] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Text) and isinstance(last, Text):
            found[-1] = Text(text=last.text + part.text)
        else:
            found.append(part)
    return tuple(found)


def sent_back(body: bytes, stream: bytes = b"") -> tuple[AnyPart, ...]:
    """What a client that was answered so sends back as the model's turn, as neutral parts."""
    if stream:
        events = [msgspec.json.decode(each[6:]) for each in stream.split(b"\n\n") if each]
        answers = [event["candidates"][0]["content"] for event in events]
    else:
        answers = [msgspec.json.decode(body)["candidates"][0]["content"]]
    contents = [{"role": "user", "parts": [{"text": "?"}]}, *answers]
    return request.chat(msgspec.json.encode({"contents": contents}), "fast", stream=False).messages[-1].parts


@settings(max_examples=150, deadline=None)
@given(PARTS.filter(bool), USAGES)
def test_what_a_client_is_told_it_can_tell_again(parts: list[AnyPart], usage: Usage) -> None:
    reply = Reply(id="r", model="m", parts=tuple(parts), stop=Stop.END, usage=usage)
    writer = spoken.GeminiWriter()
    stream = b"".join(writer.write(event) for event in events_of(reply))
    assert sent_back(spoken.whole(reply)) == joined(parts)
    assert sent_back(b"", stream) == joined(parts)


@settings(max_examples=150, deadline=None)
@given(PARTS, USAGES)
def test_a_written_reply_is_read_as_what_it_was(parts: list[AnyPart], usage: Usage) -> None:
    stop = Stop.TOOLS if any(isinstance(part, ToolCall) for part in parts) else Stop.END
    reply = Reply(id="r", model="m", parts=joined(parts), stop=stop, usage=usage)
    assert GeminiWire().reply(spoken.whole(reply)) == reply
    writer, decoder, collector = spoken.GeminiWriter(), GeminiDecoder(), Collector()
    for event in events_of(reply):
        for found in decoder.feed(writer.write(event)):
            collector.add(found)
    for found in decoder.end():
        collector.add(found)
    assert collector.reply == reply


CALLER_PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, WORDS),
    st.builds(lambda text: {"text": text, "thought": True, "thoughtSignature": "c2ln"}, WORDS),
    st.just({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
    st.just({"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}}),
    st.just({"executableCode": {"language": "PYTHON", "code": "1"}}),
    st.builds(
        lambda name, args, id_: {"functionCall": {"name": name, "args": args, "id": id_}},
        WORDS,
        ARGUMENTS,
        IDS,
    ),
)
GENERATION = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "topP": st.floats(0, 1),
        "topK": st.integers(1, 100),
        "maxOutputTokens": st.integers(1, 9999),
        "stopSequences": st.lists(WORDS, min_size=1, max_size=3),
        "seed": st.integers(0, 9),
        "responseModalities": st.just(["TEXT"]),
        "thinkingConfig": st.just({"includeThoughts": True, "thinkingBudget": 99}),
        "responseMimeType": st.just("text/x.enum"),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CALLER_PARTS, min_size=1, max_size=5), GENERATION)
def test_a_request_in_geminis_own_words_arrives_as_it_was(
    parts: list[dict[str, Any]], generation: dict[str, Any]
) -> None:
    body: dict[str, Any] = {
        "contents": [{"role": "user", "parts": [{"text": "?"}]}, {"role": "model", "parts": parts}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "a", "behavior": "BLOCKING"}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}},
        "safetySettings": [{"category": "X", "threshold": "Y"}],
    }
    if generation:
        body["generationConfig"] = generation
    chat = request.chat(msgspec.json.encode(body), "fast", stream=False)
    outbound = GeminiWire().request(chat, "gemini-2.5-flash")
    sent = msgspec.json.decode(outbound.body)
    assert outbound.dropped == ()
    sent_parts, parts = flat(sent["contents"][1].pop("parts")), flat(body["contents"][1].pop("parts"))
    assert (sent_parts, sent) == (parts, body)


def flat(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts with neighbouring texts as one."""
    found: list[dict[str, Any]] = []
    for part in parts:
        if found and part.keys() == found[-1].keys() == {"text"}:
            found[-1] = {"text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found


NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
NAMES = (
    *(
        "contents",
        "parts",
        "role",
        "text",
        "functionCall",
        "functionResponse",
        "name",
        "args",
        "id",
        "response",
    ),
    *("tools", "tool_config", "functionDeclarations", "parameters", "type", "properties", "generationConfig"),
    *("thinkingConfig", "systemInstruction"),
)
ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(ANY_JSON)
def test_no_json_of_a_callers_makes_anything_but_a_refusal(body: Any) -> None:
    try:
        chat = request.chat(msgspec.json.encode(body), "fast", stream=False)
        GeminiWire().request(chat, "gemini-3-pro")
    except BadRequest:
        pass
