"""Bodies changed on a real edge: what the service gets, and what the client gets back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from api_gateway.config import Section, problems
from tests.api_gateway.fronted import Answer, Front, fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving

JSON = ("content-type", "application/json")


@contextlib.asynccontextmanager
async def shaped(directory: Path, **route: Any) -> AsyncIterator[tuple[Script, Front]]:
    script = Script()
    script.headers = [JSON]
    script.body = b"{}"
    async with serving(script) as url, fronted(directory, {"urls": [url], **route}) as front:
        yield script, front


async def post(front: Front, body: bytes, kind: str = "application/json", **headers: str) -> Answer:
    return await front.ask("/r0/a", method="POST", body=body, content_type=kind, **headers)


async def test_the_service_gets_the_body_as_the_route_says(tmp_path: Path) -> None:
    rule = {"rename": {"/old": "new"}, "remove": ["/debug"], "set": {"/meta/source": "edge"}}
    async with shaped(tmp_path, request_body=rule) as (script, front):
        for kind in ("application/json", "Application/Problem+JSON; charset=utf-8"):
            assert (await post(front, b'{"old": 1.0, "debug": 2}', kind, content_digest="x")).status == 200
            got = script.asked[-1]
            assert got.body == b'{"new":1.0,"meta":{"source":"edge"}}'
            assert got.all("content-length") == [str(len(got.body))]
            assert got.all("content-digest") == []


async def test_a_body_that_comes_in_pieces_is_changed_as_well(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"a": "' + b"x" * 100_000
        yield b'"}'

    async with shaped(tmp_path, request_body={"set": {"/b": 1}}) as (script, front):
        answer = await front.ask("/r0/a", method="PUT", body=pieces(), content_type="application/json")
        assert answer.status == 200
        assert script.asked[0].body == b'{"a":"' + b"x" * 100_000 + b'","b":1}'


async def test_other_types_and_empty_bodies_pass_untouched(tmp_path: Path) -> None:
    async with shaped(tmp_path, request_body={"set": {"/b": 1}, "max_bytes": 10}) as (script, front):
        for kind in ("text/plain", "application/x-ndjson", "application/json-seq", "multipart/form-data"):
            assert (await post(front, b'{"a": 1, "b": 2}', kind)).status == 200
            assert script.asked[-1].body == b'{"a": 1, "b": 2}'
        assert (await post(front, b"")).status == 200
        assert (await front.ask("/r0/a")).status == 200


async def test_a_body_that_cannot_be_changed_is_refused_unsent(tmp_path: Path) -> None:
    async with shaped(tmp_path, request_body={"set": {"/a/b": 1}, "max_bytes": 100}) as (script, front):
        for body, status, told in (
            (b"{", 400, b"not valid JSON"),
            (b"[]", 400, b"no place for /a/b"),
            (b'{"a": "%s"}' % (b"x" * 100), 413, b"100 are allowed"),
            (b'{"b": "%s"}' % (b"x" * 90), 413, b"no room"),
        ):
            answer = await post(front, body)
            assert answer.status == status
            assert told in answer.body
        assert (await post(front, b"{}", content_encoding="gzip")).status == 400
        assert (await post(front, b"{}", "application/json; charset=utf-7")).status == 400
        assert not script.asked
        await allow(front)
        assert (await post(front, b"{")).status == 403, "policy speaks before anybody reads the body"


async def test_a_body_with_two_ends_is_refused_before_it_gets_one(tmp_path: Path) -> None:
    async with shaped(tmp_path, request_body={"set": {"/a": 1}}) as (script, front):
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        lines = (
            "POST /r0/a HTTP/1.1\r\nhost: x",
            f"authorization: Bearer {front.key}",
            "content-type: application/json\r\ncontent-length: 2\r\ntransfer-encoding: chunked",
            "\r\n2\r\n{}\r\n0\r\n\r\n",
        )
        writer.write("\r\n".join(lines).encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 400")
        assert not script.asked


async def test_the_client_gets_the_answer_as_the_route_says(tmp_path: Path) -> None:
    rule = {"remove": ["/items/*/cost"], "set": {"/source": "edge"}}
    async with shaped(tmp_path, reply_body=rule) as (script, front):
        script.headers = [JSON, ("etag", '"v1"'), ("digest", "x"), ("accept-ranges", "bytes")]
        script.body = b'{"items": [{"id": 1, "cost": 2}]}'
        answer = await front.ask("/r0/a", accept_encoding="gzip", range="bytes=0-3", if_range='"v1"')
        assert answer.body == b'{"items":[{"id":1}],"source":"edge"}'
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.headers["etag"] == '"v1"'
        assert {"digest", "accept-ranges"}.isdisjoint(answer.headers)
        asked = script.asked[0]
        assert (asked.all("accept-encoding"), asked.all("range")) == (["identity"], [])
        script.status = 404
        assert (await front.ask("/r0/a")).body == answer.body
        head = await front.ask("/r0/a", method="HEAD")
        assert (head.status, "content-length" in head.headers) == (404, False)


async def test_answers_that_are_not_to_be_changed_are_not(tmp_path: Path) -> None:
    async with shaped(tmp_path, reply_body={"remove": ["/a"], "max_bytes": 10}) as (script, front):
        script.body = b'{"a": 1, "b": 2}'
        for headers in (
            [("content-type", "text/event-stream")],
            [("content-type", "application/x-ndjson")],
            [JSON, ("cache-control", "no-transform")],
            [],
        ):
            script.headers = headers
            assert (await front.ask("/r0/a")).body == script.body
        script.headers, script.status = [JSON], 204
        assert (await front.ask("/r0/a")).status == 204


async def test_an_answer_that_cannot_be_changed_does_not_go_out(tmp_path: Path) -> None:
    async with shaped(tmp_path, reply_body={"remove": ["/a"], "max_bytes": 50}) as (script, front):
        for body, headers in (
            (b'{"a": 1', [JSON]),
            (b'{"a": "%s"}' % (b"x" * 50), [JSON]),
            (b"\x1f\x8b", [JSON, ("content-encoding", "gzip")]),
        ):
            script.body, script.headers = body, headers
            answer = await front.ask("/r0/a")
            assert answer.status == 502
            assert b"this route" in answer.body
        assert len(script.asked) == 3, "nobody is asked again: the next one would say the same"


async def test_what_is_kept_is_what_the_service_said(tmp_path: Path) -> None:
    route = {"cache": {}, "idempotency": {}, "reply_body": {"set": {"/n": 1}}}
    async with shaped(tmp_path, **route) as (script, front):
        script.headers = [JSON, ("cache-control", "max-age=60"), ("etag", '"v1"')]
        first, second = await front.ask("/r0/a"), await front.ask("/r0/a")
        assert (first.body, second.body, len(script.asked)) == (b'{"n":1}', b'{"n":1}', 1)
        assert (await front.ask("/r0/a", if_none_match='"v1"')).status == 304
        for _ in range(2):
            assert (await post(front, b"{}", idempotency_key="k")).body == b'{"n":1}'
        assert len(script.asked) == 2


async def test_the_document_of_the_service_is_about_what_the_service_gets(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["name"], "additionalProperties": False}
    schema["properties"] = {"name": {"type": "string"}}
    content = {"application/json": {"schema": schema}}
    operation = {"requestBody": {"required": True, "content": content}, "responses": {}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/r0/a": {"post": operation}},
    }
    (tmp_path / "api.json").write_bytes(msgspec.json.encode(document))
    openapi = {"file": str(tmp_path / "api.json")}
    async with shaped(tmp_path, openapi=openapi, request_body={"rename": {"/title": "name"}}) as (
        script,
        front,
    ):
        assert (await post(front, b'{"title": "x"}')).status == 200
        assert (await post(front, b'{"other": "x"}')).status == 400
        assert [asked.body for asked in script.asked] == [b'{"name":"x"}']


def test_pointers_are_looked_at_before_a_socket_opens() -> None:
    route: dict[str, Any] = {"name": "a", "prefix": "/a", "urls": ["http://x"]}
    route |= {"request_body": {"remove": ["x"]}, "reply_body": {"set": {"/y~": 1}}}
    assert problems(msgspec.convert({"routes": [route]}, Section)) == [
        "routes[0].request_body.remove: 'x': a JSON Pointer starts with / and names a member",
        "routes[0].reply_body.set: '/y~': in a JSON Pointer ~ is written ~0, and / in a name ~1",
    ]
