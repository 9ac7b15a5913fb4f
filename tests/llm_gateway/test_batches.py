"""Batches through the official client: whose they are, what they may use, what they cost."""

from typing import Any, Literal

import openai
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, rule
from tests.llm_gateway.uploads import client, gateway, keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import error
from tests.support.serve import someone

__all__ = ["client", "gateway", "keeper"]

URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"
PRICED = {"fast": model_section(price={"in": 1_000_000, "out": 4_000_000, "factors": {"batch": 50}})}
ROUTES = rule(obj="route:*")


def wish(file: str, **more: Any) -> dict[str, Any]:
    return {"input_file_id": file, "endpoint": URL, "completion_window": "24h", **more}


async def test_a_batch_from_file_to_result(client: openai.AsyncOpenAI, keeper: FileKeeper) -> None:
    file = await client.files.create(file=("in.jsonl", line(1) + line(2)), purpose="batch")
    made = await client.batches.create(
        input_file_id=file.id, endpoint=URL, completion_window="24h", metadata={"a": "b"}
    )
    assert (made.status, made.input_file_id) == ("validating", file.id)
    assert made.id.startswith("batch_")
    assert keeper.batches["batch-1"]["input_file_id"] == "file-1"
    assert keeper.batches["batch-1"]["metadata"] == {"a": "b"}
    keeper.finish()
    done = await client.batches.retrieve(made.id)
    assert done.status == "completed"
    assert done.output_file_id is not None
    assert done.output_file_id not in keeper.files
    assert (await client.files.content(done.output_file_id)).content == b'{"custom_id":"1"}\n'
    assert [each.id async for each in client.batches.list()] == [made.id]
    assert (await client.batches.retrieve(made.id)).output_file_id == done.output_file_id
    shown = await client.files.retrieve(done.output_file_id)
    assert shown.purpose == "batch_output"


async def test_a_batch_can_be_cancelled(client: openai.AsyncOpenAI, keeper: FileKeeper) -> None:
    file = await client.files.create(file=line(1), purpose="batch")
    made = await client.batches.create(input_file_id=file.id, endpoint=URL, completion_window="24h")
    assert (await client.batches.cancel(made.id)).status == "cancelling"
    assert keeper.batches["batch-1"]["status"] == "cancelling"


async def test_what_it_may_use_is_booked_when_it_is_created(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, models=PRICED, policy={"rules": [rule(), ROUTES]}) as gateway:
        content = line(1, max_tokens=100) + line(2, max_completion_tokens=50, n=2)
        file = (await send(gateway, upload(content))).json["id"]
        assert (await gateway.hear(wish(file), path="/v1/batches")).status == 200
        row = (await gateway.service.rows(2))[1]
        assert (row.resource, row.action, row.tokens_out) == ("route:llm/batches", "invoke", 200)
        assert row.cost_micros >= (row.tokens_in + 4 * row.tokens_out) // 2
        assert row.cost_micros <= (row.tokens_in + 4 * row.tokens_out) // 2 + 2
        assert row.findings == ("usage:estimated",)


async def test_what_it_used_beyond_that_is_booked_once(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, models=PRICED, policy={"rules": [rule(), ROUTES]}) as gateway:
        file = (await send(gateway, upload(line(1, max_tokens=10)))).json["id"]
        made = (await gateway.hear(wish(file), path="/v1/batches")).json["id"]
        keeper.finish(usage={"input_tokens": 1_000, "output_tokens": 2_000, "total_tokens": 3_000})
        for _ in range(3):
            assert (await gateway.get(f"/v1/batches/{made}")).json["status"] == "completed"
        booked, seen, *later = (await gateway.service.rows(5))[1:]
        assert seen.tokens_in + booked.tokens_in == 1_000
        assert seen.tokens_out + booked.tokens_out == 2_000
        assert seen.cost_micros + booked.cost_micros == (1_000 + 8_000) // 2
        assert [row.cost_micros for row in later] == [0, 0]


async def test_groups_that_no_batch_is_sent_to_do_not_make_it_dearer(
    opened: Open, keeper: FileKeeper
) -> None:
    cheap, dear = {"in": 1_000_000, "out": 1_000_000}, {"in": 9_000_000, "out": 9_000_000}
    targets = [
        {"provider": "main", "model": "dear", "group": "strong", "price": dear},
        {"provider": "main", "model": "cheap", "price": cheap},
    ]
    async with opened(
        keeper, models={"fast": {"targets": targets}}, policy={"rules": [rule(), ROUTES]}
    ) as gateway:
        file = (await send(gateway, upload(line(1, max_tokens=10)))).json["id"]
        assert b'"cheap"' in keeper.files["file-1"][1]
        made = (await gateway.hear(wish(file), path="/v1/batches")).json["id"]
        keeper.finish(usage={"input_tokens": 1_000, "output_tokens": 2_000, "total_tokens": 3_000})
        assert (await gateway.get(f"/v1/batches/{made}")).status == 200
        _, booked, seen = await gateway.service.rows(3)
        assert (booked.model, booked.cost_micros + seen.cost_micros) == ("cheap", 3_000)


async def test_a_batch_that_costs_too_much_is_refused(opened: Open, keeper: FileKeeper) -> None:
    limits = [{"name": "money", "per": "user", "unit": "micros", "amount": 1_000, "window": "day"}]
    policy = {"rules": [rule(), ROUTES]}
    async with opened(keeper, models=PRICED, policy=policy, limits=limits) as gateway:
        file = (await send(gateway, upload(line(1, max_tokens=10_000)))).json["id"]
        heard = await gateway.hear(wish(file), path="/v1/batches")
        assert (heard.status, heard.error["code"]) == (429, "rate_limit_exceeded")
        assert keeper.batches == {}


async def test_every_line_counts_as_a_call_of_the_chain(opened: Open, keeper: FileKeeper) -> None:
    policy = {"rules": [rule(), ROUTES]}
    async with opened(keeper, policy=policy, chain={"budget": {"model_calls": 5}}) as gateway:
        file = (await send(gateway, upload(line(1) * 6))).json["id"]
        heard = await gateway.hear(wish(file), path="/v1/batches")
        assert (heard.status, heard.error["code"]) == (429, "insufficient_quota")


async def test_somebody_elses_batch_looks_like_none(gateway: Gateway, keeper: FileKeeper) -> None:
    file = (await send(gateway, upload(line(1)))).json["id"]
    made = (await gateway.hear(wish(file), path="/v1/batches")).json["id"]
    keeper.finish()
    result = (await gateway.get(f"/v1/batches/{made}")).json["output_file_id"]
    asked = len(keeper.calls)
    for other in (someone("user:bob"), someone("user:alice", tenant="other")):
        assert (await gateway.get(f"/v1/batches/{made}", caller=other)).status == 404
        assert (await gateway.hear(b"", path=f"/v1/batches/{made}/cancel", caller=other)).status == 404
        assert (await gateway.hear(wish(file), path="/v1/batches", caller=other)).status == 404
        assert (await gateway.get(f"/v1/files/{result}/content", caller=other)).status == 404
        assert (await gateway.get("/v1/batches", caller=other)).json["data"] == []
    assert len(keeper.calls) == asked


async def test_a_model_that_is_no_longer_allowed_is_refused(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, policy={"rules": [rule(), ROUTES]}) as gateway:
        file = (await send(gateway, upload(line(1)))).json["id"]
        rules = {"rules": [rule(obj="model:other"), ROUTES]}
        await gateway.edge.publish(gateway.service.parts, "policy", rules)
        heard = await gateway.hear(wish(file), path="/v1/batches")
        assert heard.status in (403, 404)
        assert keeper.batches == {}
        row = (await gateway.service.rows(2))[1]
        assert (row.decision, row.outcome) == ("deny", Outcome.REFUSED)


async def test_a_model_that_is_killed_is_refused(gateway: Gateway, keeper: FileKeeper) -> None:
    file = (await send(gateway, upload(line(1)))).json["id"]
    await gateway.edge.kill(gateway.service.parts, provider="main")
    heard = await gateway.hear(wish(file), path="/v1/batches")
    assert (heard.status, heard.error["code"]) == (403, "killed")
    assert keeper.batches == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "/v1/embeddings"},
        {"model": "secret"},
        {"input_file_ids": ["file-1"]},
        {"input_file_id": 3},
        {"endpoint": None},
    ],
)
async def test_a_wish_that_does_not_fit_its_file_is_refused(
    gateway: Gateway, keeper: FileKeeper, changes: dict[str, Any]
) -> None:
    file = (await send(gateway, upload(line(1)))).json["id"]
    heard = await gateway.hear(wish(file) | changes, path="/v1/batches")
    assert heard.status == 400
    assert keeper.batches == {}


async def test_a_file_for_another_purpose_makes_no_batch(gateway: Gateway, keeper: FileKeeper) -> None:
    file = (await send(gateway, upload(line(1, model="secret"), b"user_data"))).json["id"]
    heard = await gateway.hear(wish(file), path="/v1/batches")
    assert (heard.status, heard.error["param"]) == (400, "input_file_id")
    for name in ("file-1", keeper.last.path.rpartition("/")[2]):
        assert (await gateway.hear(wish(name), path="/v1/batches")).status == 404
    assert keeper.batches == {}


async def test_responses_of_others_cannot_be_continued_in_a_batch(gateway: Gateway) -> None:
    for name in ("previous_response_id", "conversation"):
        sent = line(1, url="/v1/responses", **{name: "resp_1"})
        heard = await send(gateway, upload(sent))
        assert heard.error["message"].startswith(f"line 1: {name} cannot be used")


async def test_a_provider_that_makes_no_batch(gateway: Gateway, keeper: FileKeeper) -> None:
    file = (await send(gateway, upload(line(1)))).json["id"]
    keeper.will(error(500))
    assert (await gateway.hear(wish(file), path="/v1/batches")).status == 502
    row = (await gateway.service.rows(2))[1]
    assert (row.outcome, row.cost_micros) == (Outcome.FAILED, 0)


async def test_policy_has_to_open_batches(opened: Open, keeper: FileKeeper) -> None:
    policy = {"rules": [rule(), rule(obj="route:llm/files")]}
    async with opened(keeper, policy=policy) as gateway:
        file = (await send(gateway, upload(line(1)))).json["id"]
        assert (await gateway.hear(wish(file), path="/v1/batches")).status == 403
        assert (await gateway.hear(b"", method="DELETE", path="/v1/batches")).status == 405
