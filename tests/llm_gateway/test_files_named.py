"""Files of a caller's own, named in its calls: they go to the provider that keeps them, under its name for
them; every other file looks like none.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from shared.identity.principal import Caller
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, Heard, model_section, provider_section
from tests.llm_gateway.test_reach import RESPONSES, anthropic, chat, responses, user
from tests.llm_gateway.uploads import POLICY, keeper, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import ScriptedProvider, completion, error
from tests.support.responses_provider import answering
from tests.support.serve import someone

__all__ = ["keeper"]

Named = Callable[[str], tuple[str, dict[str, Any]]]
UNKNOWN = "file-" + "0" * 26


def in_chat(id: str) -> tuple[str, dict[str, Any]]:
    return chat(messages=user({"type": "file", "file": {"file_id": id}}))


def in_container(id: str) -> tuple[str, dict[str, Any]]:
    return responses(tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [id]}}])


def in_response(id: str) -> tuple[str, dict[str, Any]]:
    return responses({"type": "input_file", "file_id": id})


def in_document(id: str) -> tuple[str, dict[str, Any]]:
    return anthropic({"type": "document", "source": {"type": "file", "file_id": id}})


FORMS: list[Named] = [in_chat, in_response, in_container, in_document]


@pytest.fixture
async def gateway(opened: Open, keeper: FileKeeper, second: ScriptedProvider) -> AsyncIterator[Gateway]:
    """Two providers answer; files are kept by the second of them."""
    async with opened(
        *(second, keeper),
        endpoints={"files_provider": "second"},
        policy=POLICY,
        models={"fast": model_section("main", "second"), "elsewhere": model_section("main", aliases=[])},
    ) as gateway:
        yield gateway


async def uploaded(gateway: Gateway, keeper: FileKeeper, caller: Caller | None = None) -> str:
    made: str = (await send(gateway, upload(b"secret", b"user_data"), caller=caller)).json["id"]
    return made


async def ask(gateway: Gateway, told: tuple[str, dict[str, Any]], **more: Any) -> Heard:
    path, body = told
    return await gateway.hear(body, path=path, **more)


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_goes_where_it_is_kept_under_its_name_there(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider, form: Named
) -> None:
    made = await uploaded(gateway, keeper)
    keeper.will(completion())
    heard = await ask(gateway, form(made))
    assert heard.status == 200, heard.body
    assert (second.calls, made.encode() in keeper.last.body) == ([], False)
    assert (b'"file-1"' in keeper.last.body) == (form is not in_container)
    assert (await gateway.service.rows(2))[1].provider == "second"


async def test_where_responses_are_spoken_it_passes_as_it_is(opened: Open, keeper: FileKeeper) -> None:
    providers = {"main": provider_section(keeper, wires=["openai_chat", "openai_responses"])}
    async with opened(keeper, providers=providers, policy=POLICY) as gateway:
        made = await uploaded(gateway, keeper)
        keeper.will(answering())
        for form in (in_response, in_container):
            path, body = form(made)
            assert (await gateway.hear(body, path=path)).status == 200
            sent = msgspec.json.encode(body).replace(made.encode(), b"file-1")
            assert keeper.last.json == msgspec.json.decode(sent) | {"model": keeper.last.json["model"]}


@pytest.mark.parametrize("form", FORMS)
async def test_any_other_file_is_refused_like_one_that_is_not_there(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider, form: Named
) -> None:
    made = await uploaded(gateway, keeper)
    others = [someone("user:bob"), someone("user:alice", tenant="other"), someone("user:alice", "agent:x")]
    asked = len(keeper.calls)
    strange = [await ask(gateway, form(made), caller=caller) for caller in others]
    strange += [await ask(gateway, form(id)) for id in (UNKNOWN, "file-1", made.upper())]
    assert {heard.status for heard in strange} == {400}
    messages = {heard.json["error"]["message"].partition(": ")[2] for heard in strange}
    assert len(messages) == 1
    assert (len(keeper.calls), second.calls) == (asked, [])


async def test_who_sent_an_agent_may_name_what_it_has_uploaded(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway, keeper, someone("user:alice", "agent:planner"))
    keeper.will(completion())
    assert (await ask(gateway, in_chat(made))).status == 200


async def test_one_strange_file_among_ones_own_is_enough(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway, keeper)
    foreign = await uploaded(gateway, keeper, someone("user:bob"))
    parts = [{"type": "file", "file": {"file_id": id}} for id in (made, foreign)]
    assert (await ask(gateway, chat(messages=user(*parts)))).status == 400


async def test_a_model_that_is_not_answered_there_cannot_have_it(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    made = await uploaded(gateway, keeper)
    path, body = in_chat(made)
    heard = await gateway.hear(body | {"model": "elsewhere"}, path=path)
    assert (heard.status, heard.error["param"], second.calls) == (400, "file_id", [])


async def test_it_goes_nowhere_else_when_that_fails(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    made = await uploaded(gateway, keeper)
    keeper.will(error(500))
    assert (await ask(gateway, in_chat(made))).status == 502
    assert second.calls == []


async def test_no_copy_of_it_goes_elsewhere(
    opened: Open, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    targets = [
        {"provider": "main", "model": "m"},
        {"provider": "second", "model": "n", "group": "new"},
    ]
    models = {"fast": {"targets": targets, "routing": {"mirror": {"to": "new"}}}}
    files = {"files_provider": "main"}
    async with opened(keeper, second, models=models, policy=POLICY, endpoints=files) as gateway:
        made = await uploaded(gateway, keeper)
        keeper.will(completion())
        assert (await ask(gateway, in_chat(made))).status == 200
        assert not any("mirror" in finding for finding in (await gateway.service.rows(2))[1].findings)
    assert second.calls == []


async def test_a_conversation_kept_here_remembers_its_files(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway, keeper)
    keeper.will(completion())
    first = (await ask(gateway, in_response(made))).json["id"]
    body = {"model": "fast", "input": "and?", "previous_response_id": first}
    for caller, status in ((None, 200), (someone("user:bob"), 404)):
        assert (await gateway.hear(body, path=RESPONSES, caller=caller)).status == status
    assert (b'"file-1"' in keeper.last.body, made.encode() in keeper.last.body) == (True, False)
    shown = await gateway.get(f"{RESPONSES}/{first}/input_items")
    assert shown.json["data"][0]["content"][0]["file_id"] == made
    keeper.will(keeper.serve)
    assert (await gateway.hear(b"", method="DELETE", path=f"/v1/files/{made}")).status == 200
    assert (await gateway.hear(body, path=RESPONSES)).status == 400


async def test_a_guard_that_rewrites_the_words_leaves_the_file(opened: Open, keeper: FileKeeper) -> None:
    guards = [{"kind": "pii", "name": "pii", "action": "redact", "on": ["request"]}]
    async with opened(keeper, guards=guards, policy=POLICY) as gateway:
        made = await uploaded(gateway, keeper)
        keeper.will(completion())
        parts = (
            {"type": "text", "text": "I am ada@example.com"},
            {"type": "file", "file": {"file_id": made}},
        )
        assert (await ask(gateway, chat(messages=user(*parts)))).status == 200
        assert (b'"file-1"' in keeper.last.body, b"ada@example.com" in keeper.last.body) == (True, False)


async def test_it_is_never_answered_from_the_cache(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, cache={"share": "tenant"}, policy=POLICY) as gateway:
        made = await uploaded(gateway, keeper)
        keeper.will(completion())
        for _ in range(2):
            heard = await ask(gateway, in_chat(made))
            assert "cache=none" in heard.headers["x-gatestack-answer"]


async def test_words_about_a_file_stay_as_they_are(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway, keeper)
    keeper.will(completion())
    said = {"type": "text", "text": made}
    path, body = chat(messages=user(said, {"type": "file", "file": {"file_id": made}}), metadata={"of": made})
    assert (await gateway.hear(body, path=path)).status == 200
    assert keeper.last.json["metadata"] == {"of": made}
    [message] = keeper.last.json["messages"]
    assert message["content"] == [said, {"type": "file", "file": {"file_id": "file-1"}}]


async def test_a_name_written_with_escapes_is_the_same_name(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway, keeper)
    keeper.will(completion())
    path, body = in_chat(made)
    raw = msgspec.json.encode(body).replace(b"file_id", b"file\\u005fid").replace(b'"file-', b'"\\u0066ile-')
    assert (await gateway.hear(raw, path=path)).status == 200
    assert keeper.last.json["messages"][0]["content"][0]["file"] == {"file_id": "file-1"}


async def test_an_operators_own_ids_pass_where_they_may(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, account_ids=True, policy=POLICY) as gateway:
        made = await uploaded(gateway, keeper)
        keeper.will(completion())
        for id, there in ((made, "file-1"), ("file-7", "file-7"), (UNKNOWN, UNKNOWN)):
            assert (await ask(gateway, in_chat(id))).status == 200
            assert keeper.last.json["messages"][0]["content"][0]["file"] == {"file_id": there}
