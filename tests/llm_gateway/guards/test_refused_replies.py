"""What becomes of a reply that a guard refuses: it has been made and is paid for, and it says nothing against
the provider that made it.
"""

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import COST, request
from tests.support.providers import ScriptedProvider, completion

SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


async def test_a_refused_reply_is_paid_for(opened: Open, provider: ScriptedProvider) -> None:
    provider.will(completion("write to a@example.com"))
    guard = {"name": "mail", "kind": "pii", "on": ["reply"], "action": "refuse"}
    async with opened(provider, guards=[guard]) as gateway:
        assert (await gateway.ask()).status == 403
        row = await gateway.service.row()
        assert (row.tokens_in, row.tokens_out, row.cost_micros) == (20, 8, COST)


async def test_a_reply_that_does_not_fit_is_paid_for_and_opens_no_breaker(
    opened: Open, provider: ScriptedProvider
) -> None:
    provider.will(completion("no JSON"))
    guard = {"name": "form", "kind": "output_schema", "on": ["reply", "stream"]}
    async with opened(provider, guards=[guard]) as gateway:
        for _ in range(12):
            assert (await gateway.ask(response_format=SCHEMA)).status == 502
        rows = await gateway.service.rows(12)
        assert {row.cost_micros for row in rows} == {COST}
        # Somebody else's call still gets there.
        assert (await gateway.ask()).status == 200


async def test_what_stands_twice_cannot_be_hidden_from_a_guard(
    opened: Open, provider: ScriptedProvider
) -> None:
    guard = {"name": "mail", "kind": "pii", "on": ["request"], "action": "refuse"}
    async with opened(provider, guards=[guard]) as gateway:
        for name in (b"content", b"Content"):
            body = b'{"model":"fast","messages":[{"role":"user","%s":"a@example.com","content":"x"}]}' % name
            assert (await gateway.hear(body)).status == 400
        nested: list[object] = []
        for _ in range(900):
            nested = [nested]
        deep = request(messages=[{"role": "user", "content": [{"type": "z", "x": nested}]}])
        assert (await gateway.hear(deep)).status == 400
        assert provider.calls == []
