"""The lines of a batch: each is allowed and rewritten, or the file does not arrive."""

import msgspec
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, provider_section
from tests.llm_gateway.uploads import POLICY, gateway, keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import REAL_MODEL, ScriptedProvider

__all__ = ["gateway", "keeper"]


async def test_the_lines_of_a_batch_are_rewritten(gateway: Gateway, keeper: FileKeeper) -> None:
    content = line(1) + b"\r\n" + line(2, model="gpt-4o-mini", n=2).strip()
    heard = await send(gateway, upload(content))
    assert heard.status == 200
    kept = keeper.files["file-1"][1]
    assert [msgspec.json.decode(each)["body"]["model"] for each in kept.splitlines()] == [REAL_MODEL] * 2
    assert [msgspec.json.decode(each)["custom_id"] for each in kept.splitlines()] == ["1", "2"]


CHAT = b'"method":"POST","url":"/v1/chat/completions"'
SMUGGLED = {
    "a model that is not allowed": line(2, model="secret"),
    "a model that is not there": line(2, model="nonsense"),
    "the provider's own name": line(2, model=REAL_MODEL),
    "no model": b'{%s,"body":{}}' % CHAT,
    "two models": b'{%s,"body":{"model":"fast","model":"secret"}}' % CHAT,
    "a second model in disguise": b'{%s,"body":{"model":"fast","mod\\u0065l":"secret"}}' % CHAT,
    "a second model in capitals": b'{%s,"body":{"model":"fast","Model":"secret"}}' % CHAT,
    "two bodies": b'{%s,"body":{"model":"fast"},"body":{"model":"secret"}}' % CHAT,
    "two urls": b'{%s,"url":"/v1/files","body":{"model":"fast"}}' % CHAT,
    "a model beside the body": b'{%s,"model":"secret","body":{"model":"fast"}}' % CHAT,
    "a model that is no text": b'{%s,"body":{"model":["secret"]}}' % CHAT,
    "a body that is no object": b'{%s,"body":"{}"}' % CHAT,
    "another url": line(2, url="/v1/embeddings"),
    "an unknown url": line(2, url="/v1/fine_tuning/jobs"),
    "another method": line(2).replace(b"POST", b"GET"),
    "no JSON": b"nonsense",
    "a list": b"[1]",
    "two in a line": line(2).strip() + line(3),
    "a large line": b'{"custom_id":"%s"}' % (b"x" * 200_000),
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_a_line_that_is_refused_is_named_and_the_file_does_not_arrive(
    gateway: Gateway, keeper: FileKeeper, name: str
) -> None:
    # Far enough behind that the upload has begun before anything is noticed.
    content = line(1) * 5_000 + SMUGGLED[name] + b"\n" + line(3)
    heard = await send(gateway, upload(content))
    assert (heard.status, heard.error["type"]) == (400, "invalid_request_error")
    assert heard.error["message"].startswith("line 5001")
    assert keeper.files == {}
    row = await gateway.service.row()
    assert (row.outcome, row.status) == (Outcome.REFUSED, 400)
    if name == "a model that is not allowed":
        assert (row.decision, "refused:user:alice" in row.findings) == ("deny", True)


async def test_a_model_that_is_not_allowed_looks_like_one_that_is_not_there(gateway: Gateway) -> None:
    forbidden = await send(gateway, upload(line(1, model="secret")))
    unknown = await send(gateway, upload(line(1, model="nosuch")))
    assert forbidden.body.replace(b"secret", b"nosuch") == unknown.body


async def test_a_batch_goes_to_one_provider(
    opened: Open, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    models = {"fast": model_section("main"), "else": model_section("second", aliases=[])}
    providers = {"main": provider_section(keeper), "second": provider_section(second)}
    async with opened(keeper, models=models, providers=providers, policy=POLICY) as gateway:
        heard = await send(gateway, upload(line(1) + line(2, model="else")))
        assert heard.error["message"].startswith("line 2: the model 'else' is not where")
        assert (await send(gateway, upload(line(1, model="else")))).status == 200
        assert second.last.path == "/v1/files"
        refused = await send(gateway, upload(b"x", b"user_data"))
        assert "files_provider" in refused.error["message"]


async def test_a_model_behind_a_guard_that_must_be_passed_is_refused(
    opened: Open, keeper: FileKeeper
) -> None:
    guard = {"kind": "secrets", "name": "strict", "match": {"model": "guarded"}}
    watching = {"kind": "secrets", "name": "watching", "mode": "monitor"}
    async with opened(
        keeper,
        models={"fast": model_section(), "guarded": model_section(aliases=[])},
        policy=POLICY,
        guards=[guard, watching],
    ) as gateway:
        heard = await send(gateway, upload(line(1) + line(2, model="guarded")))
        assert heard.status == 400
        assert heard.error["message"].startswith(
            "line 2: the model 'guarded' cannot be used in a batch: guards"
        )
        assert keeper.files == {}
        assert (await send(gateway, upload(line(1)))).status == 200
