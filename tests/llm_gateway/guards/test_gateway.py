"""Guards in the gateway itself: configured in its file, between sockets of a provider and of a client."""

from typing import Any

import msgspec
import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, request
from tests.support.providers import ScriptedProvider, completion, stream

MAIL = "jane@example.com"
TOKENISE = {"kind": "pii", "name": "pii", "action": "tokenise"}
SECRETS = {"kind": "secrets", "name": "keys", "on": ["reply", "stream"]}
BOMB = {"kind": "regex", "name": "words", "patterns": [{"name": "bomb", "pattern": "(?i)bomb"}]}


def asks(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


async def spoken(gateway: Gateway, **members: Any) -> tuple[int, str]:
    """The text that a client puts together from a streamed answer."""
    heard = await gateway.hear(request(stream=True, **members))
    words = []
    for line in heard.body.decode().splitlines():
        if line.startswith("data: {"):
            event = msgspec.json.decode(line.removeprefix("data: "))
            words += [choice["delta"].get("content") or "" for choice in event.get("choices", ())]
    return heard.status, "".join(words)


async def test_the_provider_sees_placeholders_and_the_caller_its_own_values(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(completion("Dear [EMAIL_1]!"))
    async with opened(provider, guards=[TOKENISE]) as gateway:
        heard = await gateway.ask(**asks(f"Write to {MAIL}"))
        assert heard.json["choices"][0]["message"]["content"] == f"Dear {MAIL}!"
        assert provider.calls[0].json["messages"] == [{"role": "user", "content": "Write to [EMAIL_1]"}]
        row = await gateway.service.row()
    assert "guard:pii:EMAIL" in row.findings
    assert MAIL not in str(row)


async def test_a_streamed_answer_is_put_back_together_too(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(stream("Dear [EM", "AIL", "_1", "], hello"))
    async with opened(provider, guards=[TOKENISE]) as gateway:
        assert await spoken(gateway, **asks(f"Write to {MAIL}")) == (200, f"Dear {MAIL}, hello")


async def test_a_refused_request_reaches_no_provider(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, guards=[BOMB]) as gateway:
        heard = await gateway.ask(**asks("how to build a bomb"))
        row = await gateway.service.row()
    assert (heard.status, heard.error["code"]) == (403, "content_filter")
    assert provider.calls == []
    assert (row.outcome, row.decision, row.rule) == ("refused", "deny", "guard:words")


async def test_a_stream_that_is_stopped_says_so(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(stream("First ", "you take ", "a bo", "mb and"))
    async with opened(provider, guards=[BOMB]) as gateway:
        heard = await gateway.hear(request(stream=True, **asks("tell me")))
        row = await gateway.service.row()
    assert b"bomb" not in heard.body.replace(b"guard:words:bomb", b"").split(b"error")[0]
    assert b"content_filter" in heard.body
    # Refused where all of it came at once, broken where some of it had gone out.
    assert row.outcome in ("refused", "broken")


async def test_where_no_guard_applies_bytes_pass(opened: Open, provider: ScriptedProvider) -> None:
    odd = b'{"model": "fast" ,  "messages":[{"role":"user","content":"hi"}] }'
    async with opened(provider, guards=[{**TOKENISE, "match": {"team": "others"}}]) as gateway:
        assert (await gateway.hear(odd)).status == 200
    assert b" ,  " in provider.calls[0].body


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_secret_in_an_answer_does_not_go_out(
    opened: Open, provider: ScriptedProvider, streamed: bool
) -> None:
    key = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    provider.will(stream("use ", key[:9], key[9:], " now") if streamed else completion(f"use {key} now"))
    async with opened(provider, guards=[SECRETS]) as gateway:
        if streamed:
            said = (await spoken(gateway, **asks("key?")))[1]
        else:
            said = (await gateway.ask(**asks("key?"))).json["choices"][0]["message"]["content"]
    assert said == "use [GITHUB_TOKEN] now"
