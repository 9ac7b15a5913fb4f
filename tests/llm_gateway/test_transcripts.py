"""What was said is kept of nobody but those whom an operator has opted in, redacted, for so long and no
longer, and the ledger's row vouches for it.
"""

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from llm_gateway.config import Section
from llm_gateway.config import problems as configured
from llm_gateway.transcripts.keep import sampled
from llm_gateway.transcripts.redact import Redact
from llm_gateway.transcripts.section import TranscriptSection, problems
from shared.ledger.entry import new_id
from shared.transcripts import Transcripts
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, Heard
from tests.support import anthropic_provider
from tests.support.providers import ScriptedProvider, completion, cut, events, sending, stream, whole
from tests.support.serve import someone
from tests.support.wait import eventually

SUPPORT = {"match": {"team": "support"}}
MAIL, KEY = "bob.miller@example.com", "sk-proj-abcdefghijklmnopqrstuvwx0123456789"
DAY = 86_400


async def kept(gateway: Gateway, heard: Heard, tenant: str = "acme") -> Any:
    """What is there of this call, as soon as it is: it is not waited for."""
    found = await eventually(lambda: content(gateway, heard, tenant), "the transcript")
    assert found is not None
    return msgspec.json.decode(found)


async def content(gateway: Gateway, heard: Heard, tenant: str = "acme") -> bytes | None:
    return await Transcripts(gateway.service.parts.redis).read(tenant, heard.headers["x-gatestack-call"])


async def nothing(gateway: Gateway) -> bool:
    """Whether nothing is kept of anybody. Scripts run in their order: what was sent before has been done."""
    return not await gateway.service.parts.redis.execute("KEYS", "gs:*transcript*")


def says(heard: Any) -> list[str]:
    parts = [part for message in heard["request"]["messages"] for part in message["parts"]]
    return [part.get("text", "") for part in (*parts, *heard["reply"]["parts"])]


async def test_without_an_opt_in_nothing_is_kept(plain: Gateway) -> None:
    await plain.ask()
    row = await plain.service.row()
    assert row.digest == ""
    assert await nothing(plain)


async def test_only_calls_that_match_are_kept(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        for stranger in (someone(team="sales"), someone(team=""), someone(team="supporters")):
            assert (await gateway.ask(stranger)).status == 200
        assert await nothing(gateway)
        heard = await gateway.ask()
        assert says(await kept(gateway, heard)) == ["How are you?", "Hello there"]
        assert await content(gateway, heard, "globex") is None


async def test_the_first_section_that_fits_decides(opened: Open, provider: ScriptedProvider) -> None:
    sections = [{"match": {"user": "user:alice"}, "sample": 0}, SUPPORT]
    async with opened(provider, transcripts=sections) as gateway:
        await gateway.ask()
        assert await nothing(gateway)
        assert await kept(gateway, await gateway.ask(someone("user:bob")))


async def test_the_row_vouches_for_what_is_kept(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        caller = someone("user:alice", "agent:planner")
        heard = await gateway.ask(caller)
        told = await kept(gateway, heard)
        row = await gateway.service.row()
        body = await content(gateway, heard)
        assert body is not None
        assert row.digest == sha256(body).hexdigest()
        assert (told["entry"], told["chain"]) == (row.id, caller.chain)
        assert told["actors"] == ["user:alice", "agent:planner"]


async def test_it_runs_out_after_its_retention(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, transcripts=[{**SUPPORT, "retention_days": 7}]) as gateway:
        await kept(gateway, await gateway.ask())
        redis = gateway.service.parts.redis
        for name in await redis.execute("KEYS", "gs:*transcript*"):
            assert 7 * DAY - 60 < await redis.execute("TTL", name) <= 7 * DAY


@pytest.mark.parametrize("redact", [[], ["pii"], ["secrets"], None])
async def test_what_is_redacted_is_as_configured(
    opened: Open, provider: ScriptedProvider, redact: list[str] | None
) -> None:
    section = SUPPORT | ({"redact": redact} if redact is not None else {})
    wanted = ["pii", "secrets"] if redact is None else redact
    provider.will(completion(f"{MAIL} has {KEY}"))
    async with opened(provider, transcripts=[section]) as gateway:
        heard = await gateway.ask(messages=[{"role": "user", "content": f"Mail {MAIL}, key {KEY}."}])
        assert MAIL in heard.body.decode()
        told = await kept(gateway, heard)
        text = str(told)
        assert (MAIL not in text, KEY not in text) == ("pii" in wanted, "secrets" in wanted)
        assert told["redacted"] == wanted
        if redact is None:
            assert says(told) == ["Mail [EMAIL], key [OPENAI_KEY].", "[EMAIL] has [OPENAI_KEY]"]


async def test_redaction_holds_for_streams_however_they_are_cut(
    opened: Open, provider: ScriptedProvider
) -> None:
    text = f"Write to {MAIL} with {KEY}, please."
    provider.will(sending(events(list(text), counted=False)))
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        heard = await gateway.ask(stream=True)
        assert heard.body.endswith(b"data: [DONE]\n\n")
        told = await kept(gateway, heard)
        assert told["reply"]["parts"] == [{"text": "Write to [EMAIL] with [OPENAI_KEY], please."}]


async def test_redaction_reaches_names_arguments_and_results(
    opened: Open, provider: ScriptedProvider
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "mail"}}
    call["function"] |= {"arguments": '{"to":"bob.miller\\u0040example.com","card":4111111111111111}'}  # type: ignore[operator]
    tool = {"name": "mail", "description": f"Ask {MAIL}.", "parameters": {"type": "object", "title": MAIL}}
    messages = [
        {"role": "user", "content": "Mail him.", "name": "bob"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": f"sent to {MAIL}"},
    ]
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        heard = await gateway.ask(
            messages=messages, tools=[{"type": "function", "function": tool}], user=MAIL
        )
        told = await kept(gateway, heard)
        assert MAIL not in str(told)
        [_, asked, result] = told["request"]["messages"]
        assert asked["parts"][0]["arguments"] == {"to": "[EMAIL]", "card": "[CREDIT_CARD]"}
        assert result["parts"][0]["parts"] == [{"text": "sent to [EMAIL]"}]
        assert told["request"]["tools"][0]["description"] == "Ask [EMAIL]."


async def test_pictures_are_not_kept(opened: Open, provider: ScriptedProvider) -> None:
    url = f"data:image/png;base64,{'aGVsbG8=' * 40}"
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": url}}]
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        told = await kept(gateway, await gateway.ask(messages=[{"role": "user", "content": parts}]))
        assert told["request"]["messages"][0]["parts"][1] == {"not_kept": "image", "media_type": "image/png"}


async def test_what_cannot_be_redacted_is_not_kept(
    opened: Open, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> Any:
        raise RuntimeError("the redactor is broken")

    monkeypatch.setattr(Redact, "__call__", fail)
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        assert (await gateway.ask()).status == 200
        row = await gateway.service.row()
        assert (row.outcome, row.digest) == ("completed", "")
        assert "transcript:failed" in row.findings
        assert await nothing(gateway)


async def test_what_is_too_large_is_not_kept(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, transcripts=[{**SUPPORT, "max_bytes": 200}]) as gateway:
        messages = [{"role": "user", "content": "x" * 300}]
        assert (await gateway.ask(messages=messages)).status == 200
        row = await gateway.service.row()
        assert "transcript:too_large" in row.findings
        assert await nothing(gateway)


async def test_a_reply_that_cannot_be_read_passes_and_is_not_kept(
    opened: Open, provider: ScriptedProvider
) -> None:
    strange = b'{"id":7,"choices":[{"message":{"content":{"rich":true}}}]}'
    provider.will(whole(strange))
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        heard = await gateway.ask()
        assert (heard.status, heard.body) == (200, strange)
        assert await nothing(gateway)


async def test_a_stream_that_breaks_is_not_kept(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(sending(events(["a", "b"], counted=False)[:2], then=cut))
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        await gateway.ask(stream=True)
        assert (await gateway.service.row()).outcome == "broken"
        assert await nothing(gateway)


async def test_a_translated_reply_is_kept_as_the_caller_got_it(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(anthropic_provider.replies(text="Good day"))
    known = {"main": {"kind": "anthropic", "base_url": provider.base_url[:-3], "key": "${KEY}"}}
    async with opened(provider, providers=known, transcripts=[SUPPORT]) as gateway:
        for streamed in (False, True):
            told = await kept(gateway, await gateway.ask(stream=streamed))
            assert says(told) == ["How are you?", "Good day"]


async def test_an_answer_from_the_cache_is_kept_for_who_got_it(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, cache={}, transcripts=[SUPPORT]) as gateway:

        async def again() -> Heard | None:
            heard = await gateway.ask(someone("user:bob"))
            return heard if "cache=hit" in heard.headers["x-gatestack-answer"] else None

        first = await gateway.ask()
        second = await eventually(again, "the cache")
        assert second is not None
        assert says(await kept(gateway, second)) == ["How are you?", "Hello there"]
        assert (await kept(gateway, second))["entry"] != (await kept(gateway, first))["entry"]


async def test_what_a_guard_took_out_is_not_kept_either(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(stream("I wrote to [EMAIL_1]", "."))
    guards = [{"kind": "pii", "name": "pii", "action": "tokenise"}]
    async with opened(provider, guards=guards, transcripts=[SUPPORT]) as gateway:
        messages = [{"role": "user", "content": f"Mail {MAIL}"}]
        heard = await gateway.ask(messages=messages, stream=True)
        assert MAIL in heard.body.decode()
        assert says(await kept(gateway, heard)) == ["Mail [EMAIL_1]", "I wrote to [EMAIL]."]


async def test_what_was_asked_before_is_kept_where_a_conversation_goes_on(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        first = await gateway.hear({"model": "fast", "input": "Hi"}, path="/v1/responses")
        asked = {"model": "fast", "input": "And?", "previous_response_id": first.json["id"]}
        told = await kept(gateway, await gateway.hear(asked, path="/v1/responses"))
        assert says(told) == ["Hi", "Hello there", "And?", "Hello there"]


async def test_erasing_a_principal_erases_what_agents_did_for_it(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, transcripts=[SUPPORT]) as gateway:
        callers = (someone(), someone("user:alice", "agent:planner"), someone("user:bob", "agent:planner"))
        own, delegated, other = [await gateway.ask(caller) for caller in callers]
        foreign = await gateway.ask(someone(tenant="globex"))
        for heard, tenant in ((own, "acme"), (delegated, "acme"), (other, "acme"), (foreign, "globex")):
            await kept(gateway, heard, tenant)
        transcripts = Transcripts(gateway.service.parts.redis)
        assert await transcripts.erase_all("acme", "user:alice") == 2
        assert await content(gateway, own) is None
        assert await content(gateway, delegated) is None
        assert await content(gateway, other) is not None
        assert await content(gateway, foreign, "globex") is not None
        assert await transcripts.erase_all("acme", "agent:planner") == 1
        assert await transcripts.erase_all("acme", "agent:planner") == 0


def test_whether_an_entry_is_sampled_hangs_on_its_id_alone() -> None:
    ids = [new_id() for _ in range(4000)]
    chosen = {entry for entry in ids if sampled(entry, 0.1)}
    assert 250 < len(chosen) < 550
    assert chosen == {entry for entry in ids if sampled(entry, 0.1)}
    assert chosen <= {entry for entry in ids if sampled(entry, 0.2)}
    assert not any(sampled(entry, 0) for entry in ids)
    assert all(sampled(entry, 1) for entry in ids)


def test_a_section_for_everybody_has_to_say_so() -> None:
    assert list(problems([TranscriptSection(match={})])) == [
        "[0].match: must say whose calls are kept, like team: support"
    ]
    [problem] = problems([TranscriptSection(match={"tema": "support"})])
    assert problem.startswith("[0].match.tema: no such fact")
    assert not list(problems([TranscriptSection(match={"tenant": "*"})]))
    [problem] = configured(Section(transcripts=[TranscriptSection(match={})]))
    assert problem.startswith("transcripts[0].match: ")
