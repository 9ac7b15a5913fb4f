"""The list of models: what a caller may use, and nothing about the rest."""

import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, request, rule
from tests.support.providers import ScriptedProvider
from tests.support.serve import someone

MODELS = {"fast": model_section(aliases=["gpt-4o-mini"]), "a/deep": model_section(aliases=[])}


async def test_the_list_holds_every_name_that_the_caller_may_use(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy = {
        "rules": [rule(sub="user:alice", obj="model:fast", act="invoke"), rule(sub="user:bob", act="list")]
    }
    async with opened(provider, models=MODELS, policy=policy) as gateway:
        alice, bob, eve = [
            (await gateway.get("/v1/models", caller=someone(name))).json
            for name in ("user:alice", "user:bob", "user:eve")
        ]
        assert [model["id"] for model in alice["data"]] == ["fast", "gpt-4o-mini"]
        assert [model["id"] for model in bob["data"]] == ["fast", "gpt-4o-mini", "a/deep"]
        assert eve == {"object": "list", "data": []}
        assert alice["data"][0].keys() == {"id", "object", "created", "owned_by"}
        row = (await gateway.service.rows(3))[0]
        assert (row.resource, row.action, row.outcome) == ("model:*", "list", "completed")


async def test_one_model_is_described_by_any_of_its_names(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, models=MODELS) as gateway:
        for name in ("fast", "gpt-4o-mini", "a/deep"):
            assert (await gateway.get(f"/v1/models/{name}")).json["id"] == name


async def test_an_unknown_model_and_a_forbidden_one_look_the_same(
    opened: Open, provider: ScriptedProvider
) -> None:
    async with opened(provider, models=MODELS, policy={"rules": [rule(obj="model:fast")]}) as gateway:
        forbidden, unknown = [await gateway.get(f"/v1/models/{name}") for name in ("a/deep", "a/nope")]
        assert (forbidden.status, forbidden.error["code"]) == (404, "model_not_found")
        assert forbidden.body.replace(b"a/deep", b"a/nope") == unknown.body


async def test_a_model_that_every_principal_of_a_chain_may_use_is_shown(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy = {"rules": [rule(sub="user:alice"), rule(sub="agent:planner", obj="model:fast")]}
    async with opened(provider, models=MODELS, policy=policy) as gateway:
        heard = await gateway.get("/v1/models", caller=someone("user:alice", "agent:planner"))
        assert [model["id"] for model in heard.json["data"]] == ["fast", "gpt-4o-mini"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models", 405),
        ("DELETE", "/v1/models/fast", 405),
        ("GET", "/v1/modelsx", 404),
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions/", 404),
        ("POST", "/v1/nothing", 404),
        ("GET", "/v1/line%0abreak", 404),
        ("GET", "/v1/chat/completions", 405),
    ],
)
async def test_other_paths_and_methods_get_an_error_of_openais_form(
    plain: Gateway, method: str, path: str, status: int
) -> None:
    heard = await plain.hear(request(), method=method, path=path)
    assert heard.status == status
    assert set(heard.error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["/anthropic/v1/models", "/v1/models"])
async def test_anthropics_clients_get_their_own_form(plain: Gateway, path: str) -> None:
    headers = plain.identity() | {"anthropic-version": "2023-06-01"}
    listed = (await plain.get(path, headers=headers)).json
    assert [model["id"] for model in listed["data"]] == ["fast", "gpt-4o-mini"]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("fast", "gpt-4o-mini", False)
    one = (await plain.get(f"{path}/fast", headers=headers)).json
    assert (one["type"], one["display_name"]) == ("model", "fast")
    assert one["created_at"].endswith("Z")


@pytest.mark.parametrize("path", ["/gemini/v1/models", "/gemini/v1beta/models", "/v1beta/models"])
async def test_geminis_clients_get_their_own_form(plain: Gateway, path: str) -> None:
    listed = (await plain.get(path)).json
    assert [model["name"] for model in listed["models"]] == ["models/fast", "models/gpt-4o-mini"]
    assert (await plain.get(f"{path}/fast")).json["name"] == "models/fast"


@pytest.mark.parametrize(
    ("path", "headers", "sign"),
    [
        ("/v1/models/nope", {}, ("error", "code", "model_not_found")),
        ("/v1/models/nope", {"anthropic-version": "2023-06-01"}, ("error", "type", "not_found_error")),
        ("/anthropic/v1/models/nope", {}, ("error", "type", "not_found_error")),
        ("/anthropic/v1/nothing", {}, ("error", "type", "not_found_error")),
        ("/v1beta/models/nope", {}, ("error", "status", "NOT_FOUND")),
        ("/gemini/v1beta/models/nope", {}, ("error", "status", "NOT_FOUND")),
        ("/v1beta/nothing", {}, ("error", "status", "NOT_FOUND")),
    ],
)
async def test_an_error_has_the_form_of_the_clients_whose_path_it_is(
    opened: Open, provider: ScriptedProvider, path: str, headers: dict[str, str], sign: tuple[str, str, str]
) -> None:
    async with opened(provider, models=MODELS) as gateway:
        heard = await gateway.get(path, headers=gateway.identity() | headers)
        member, field, value = sign
        assert (heard.status, heard.json[member][field]) == (404, value)
        if value == "not_found_error":
            assert heard.json["type"] == "error"
        refused = await gateway.get(path, headers=headers)
        assert refused.status == 401
        assert refused.json.keys() == heard.json.keys()
