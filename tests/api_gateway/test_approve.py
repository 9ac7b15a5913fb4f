"""A request of a route that needs a person's consent waits at the edge, and goes on as that person saw it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api_gateway.ordering import Shop
from tests.api_gateway.ordering import shop as opened
from tests.support.approving import asked, decide

ORDER = {"item": "teapot", "amount": 3}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened(tmp_path) as shop:
        yield shop


async def test_an_order_goes_on_with_its_whole_body_once_it_is_approved(shop: Shop) -> None:
    call, asking = await shop.parked(ORDER, path="/shop/orders?express=1")
    assert (asking.resource, asking.service, asking.rule) == ("route:shop", "api_gateway", "orders")
    host = shop.office.edge.url.removeprefix("http://")
    assert asking.preview == (
        f'{{"method":"POST","host":"{host}","path":"/shop/orders","query":"express=1",'
        '"body":{"item":"teapot","amount":3}}'
    )
    assert shop.provider.calls == []
    await decide(shop.office.edge.parts)
    assert await call == (200, b'{"sold": true}')
    assert shop.provider.last.body == b'{"item":"teapot","amount":3}'


@pytest.mark.parametrize("body", [b"plain <b>text</b>", b"\xff\xfe", b'{"a": 1, "a": 2}', b"x" * 300_000])
async def test_any_body_is_seen_and_sent_on_unchanged(shop: Shop, body: bytes) -> None:
    call, asking = await shop.parked(body)
    assert asking.preview.isprintable()
    assert "<b>" not in asking.preview
    await decide(shop.office.edge.parts)
    assert (await call)[0] == 200
    assert shop.provider.last.body == body


async def test_another_path_query_or_body_asks_anew(shop: Shop) -> None:
    call, _ = await shop.parked(ORDER)
    await decide(shop.office.edge.parts, "denied")
    assert (await call)[0] == 403
    for how in ({"path": "/shop/orders?n=2"}, {"path": "/shop/other"}, {"body": ORDER | {"amount": 4}}):
        call, _ = await shop.parked(how.pop("body", ORDER), **how)
        await decide(shop.office.edge.parts, "denied")
        await call
    # What was denied stays so.
    assert (await shop.order(ORDER))[0] == 403
    assert len(await asked(shop.office.edge.parts)) == 4


async def test_a_text_is_not_the_json_that_looks_like_it(shop: Shop) -> None:
    for body in (b"drop", b'"drop"'):
        call, _ = await shop.parked(body)
        await decide(shop.office.edge.parts, "denied")
        assert (await call)[0] == 403
    assert len(await asked(shop.office.edge.parts)) == 2


async def test_what_is_too_large_for_a_person_to_have_seen_is_refused(shop: Shop) -> None:
    assert (await shop.order(b"x" * 1_100_000))[0] == 413
    assert await asked(shop.office.edge.parts) == []
