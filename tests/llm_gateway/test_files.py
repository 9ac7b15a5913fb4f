"""Files through the official client, and what somebody else's id is worth: nothing."""

import asyncio
from typing import Any

import openai
import pytest

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import PROVIDER_KEY, Gateway, rule
from tests.llm_gateway.uploads import POLICY, client, form, gateway, keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper, form_of
from tests.support.providers import error, whole
from tests.support.serve import someone
from tests.support.wait import eventually

__all__ = ["client", "gateway", "keeper"]


async def test_a_file_goes_there_and_comes_back(
    client: openai.AsyncOpenAI, keeper: FileKeeper, gateway: Gateway
) -> None:
    content = bytes(range(256)) * 5_000
    sent = await client.files.create(
        file=("data.bin", content),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert sent.id.startswith("file-")
    assert sent.id not in keeper.files
    assert keeper.files["file-1"][1] == content
    assert keeper.last.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    fields = form_of(keeper.last)
    assert fields["expires_after[seconds]"] == [(None, b"3600")]
    assert (await client.files.content(sent.id)).content == content
    assert (await client.files.retrieve(sent.id)).filename == "data.bin"
    listed = [file.id async for file in client.files.list()]
    assert listed == [sent.id]
    assert (await client.files.delete(sent.id)).deleted
    assert keeper.files == {}
    with pytest.raises(openai.NotFoundError):
        await client.files.retrieve(sent.id)
    row = (await gateway.service.rows(1))[0]
    assert (row.resource, row.action, row.provider, row.task) == (
        "route:llm/files",
        "invoke",
        "main",
        sent.id,
    )


async def test_files_come_in_pages(client: openai.AsyncOpenAI) -> None:
    made = [(await client.files.create(file=b"x", purpose="user_data")).id for _ in range(5)]
    page = await client.files.list(limit=2)
    assert ([file.id for file in page.data], page.has_more) == (made[:2:-1], True)
    assert [file.id async for file in client.files.list(limit=2, order="asc")] == made
    assert [file.id async for file in client.files.list(purpose="batch")] == []


async def test_somebody_elses_file_looks_like_none(gateway: Gateway, keeper: FileKeeper) -> None:
    mine = (await send(gateway, upload(b"secret", b"user_data"))).json["id"]
    asked = len(keeper.calls)
    others = [someone("user:bob"), someone("user:alice", tenant="other"), someone("user:bob", "user:alice")]
    unknown = await gateway.get("/v1/files/file-" + "0" * 26)
    for other in others:
        for method, path in (
            ("GET", f"/v1/files/{mine}"),
            ("GET", f"/v1/files/{mine}/content"),
            ("DELETE", f"/v1/files/{mine}"),
        ):
            heard = await gateway.hear(b"", method=method, path=path, caller=other)
            assert heard.status == 404
            assert heard.body.replace(mine.encode(), b"file-" + b"0" * 26) == unknown.body
        assert (await gateway.get("/v1/files", caller=other)).json["data"] == []
    assert len(keeper.calls) == asked


async def test_what_an_agent_sends_for_somebody_is_theirs_too(gateway: Gateway) -> None:
    planner = someone("user:alice", "agent:planner")
    made = (await send(gateway, upload(b"x", b"user_data"), caller=planner)).json["id"]
    for owner in (planner, someone("user:alice")):
        assert (await gateway.get(f"/v1/files/{made}", caller=owner)).status == 200
    researcher = someone("user:alice", "agent:researcher")
    assert (await gateway.get(f"/v1/files/{made}", caller=researcher)).status == 404
    own = (await send(gateway, upload(b"x", b"user_data"))).json["id"]
    assert (await gateway.get(f"/v1/files/{own}", caller=planner)).status == 404


@pytest.mark.parametrize(
    "name", ["file-1", "file-%2e%2e", "batch_" + "0" * 26, "file-" + "0" * 25 + "*", "file-" + "0" * 400]
)
async def test_an_id_that_is_none_of_ours_goes_nowhere(
    gateway: Gateway, keeper: FileKeeper, name: str
) -> None:
    await send(gateway, upload(b"x", b"user_data"))
    asked = len(keeper.calls)
    assert (await gateway.get(f"/v1/files/{name}")).status == 404
    assert len(keeper.calls) == asked


@pytest.mark.parametrize(
    "body",
    [
        form(),
        form(('name="file"; filename="a"', b"x")),
        form(('name="file"; filename="a"', b"x"), ('name="purpose"', b"user_data")),
        form(('name="purpose"', b"user_data")),
        form(('name="purpose"', b"user_data"), ('name="file"', b"x")),
        form(
            ('name="purpose"', b"user_data"),
            ('name="purpose"', b"batch"),
            ('name="file"; filename="a"', b"x"),
        ),
        form(
            ('name="purpose"', b"user_data"),
            ('name="Purpose"', b"batch"),
            ('name="file"; filename="a"', b"x"),
        ),
        form(
            ('name="purpose"', b"user_data"),
            ('name="file"; filename="a"', b"x"),
            ('name="purpose"', b"batch"),
        ),
        form(
            ('name="purpose"', b"user_data"),
            ('name="file"; filename="a"', b"x"),
            ('name="file"; filename="b"', b"y"),
        ),
        form(
            ('name="purpose"', b"user_data"), ('name="x"', b"y" * 5_000), ('name="file"; filename="a"', b"x")
        ),
        upload(b""),
        upload(b"\n\n"),
        upload(line(1))[:-8],
        upload(b"x", b"user_data")[:-8],
    ],
)
async def test_a_form_that_could_mean_two_things_is_refused(
    gateway: Gateway, keeper: FileKeeper, body: bytes
) -> None:
    heard = await send(gateway, body)
    assert (heard.status, heard.error["type"]) == (400, "invalid_request_error")
    assert keeper.files == {}


async def test_a_field_after_the_file_goes_up_too(gateway: Gateway, keeper: FileKeeper) -> None:
    parts = (
        ('name="purpose"', b"user_data"),
        ('name="file"; filename="a"', b"x"),
        ('name="expires_after[seconds]"', b"3600"),
    )
    assert (await send(gateway, form(*parts))).status == 200
    assert form_of(keeper.last)["expires_after[seconds]"] == [(None, b"3600")]


async def test_a_file_that_is_too_large(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, endpoints={"max_file_bytes": 1_000}, policy=POLICY) as gateway:
        assert (await send(gateway, upload(b"x" * 2_000, b"user_data"))).status == 413


@pytest.mark.parametrize(
    ("said", "status"), [(error(400), 400), (error(500), 502), (whole(b"[]"), 502), (whole(b"{}"), 502)]
)
async def test_a_provider_that_does_not_keep_it(
    gateway: Gateway, keeper: FileKeeper, said: Any, status: int
) -> None:
    keeper.will(said)
    assert (await send(gateway, upload(b"x", b"user_data"))).status == status
    assert (await gateway.get("/v1/files")).json["data"] == []


async def test_policy_has_to_open_files(opened: Open, keeper: FileKeeper) -> None:
    async with opened(keeper, policy={"rules": [rule()]}) as gateway:
        assert (await send(gateway, upload(line()))).status == 403
        assert (await gateway.get("/v1/files")).status == 403


async def test_a_file_that_the_provider_has_lost_can_be_deleted(gateway: Gateway, keeper: FileKeeper) -> None:
    made = (await send(gateway, upload(b"x", b"user_data"))).json["id"]
    keeper.files.clear()
    assert (await gateway.get(f"/v1/files/{made}/content")).status >= 400
    assert (await gateway.hear(b"", method="DELETE", path=f"/v1/files/{made}")).status == 200


async def test_other_methods_are_none(gateway: Gateway) -> None:
    assert (await gateway.hear(b"", method="PUT", path="/v1/files")).status == 405
    assert (await gateway.hear(b"{}", path="/v1/files/file-1")).status == 405


async def test_a_caller_that_leaves_in_the_middle_of_its_file(gateway: Gateway, keeper: FileKeeper) -> None:
    body = upload(line(1) * 20_000)
    _, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    head = (
        f"POST /v1/files HTTP/1.1\r\nhost: x\r\ntxn-token: {gateway.identity()['txn-token']}\r\n"
        f"content-type: multipart/form-data; boundary=b\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body[: len(body) // 2])
    await writer.drain()
    await eventually(lambda: keeper.connections)
    writer.transport.abort()
    assert (await gateway.service.row()).outcome == Outcome.CLIENT_GONE
    assert keeper.files == {}
