"""A model call that ends at any moment leaves nothing behind, and is on record once."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, request
from tests.support.approving import Spending, approving, asks
from tests.support.cutting import LIMITS, Cutting, Kind
from tests.support.providers import Behaviour, Call, ScriptedProvider, completion_body, events
from tests.support.serve import someone

MESSAGES = "/v1/messages"
WHOLE = (completion_body(),)
STREAM = tuple(events(("Hel", "lo"), counted=True))
GUARDS = [{"kind": "pii", "name": "pii", "action": "tokenise"}]
SECRET = [{"role": "user", "content": "I am ada@example.com"}]
# Nobody is left alone, however often it is cut off.
PATIENT = {"breaker": {"consecutive": 1_000_000, "minimum_calls": 1_000_000}}


class Answers:
    """Providers that answer in pieces; once the call is ended they wait until the gateway has left."""

    def __init__(self) -> None:
        self.cutting: Cutting | None = None

    def saying(self, parts: tuple[bytes, ...], status: int = 200) -> Behaviour:
        async def behave(call: Call) -> None:
            if len(parts) > 1:
                await call.start()
            for part in parts:
                if self.cutting is not None and self.cutting.ended:
                    await call.gone()
                    return
                await (call.send(part) if len(parts) > 1 else call.reply(status, part))
                # What is sent in one turn is read in one.
                await asyncio.sleep(0.001)
            if len(parts) > 1:
                await call.end()

        return behave


@pytest.fixture
def answers() -> Answers:
    return Answers()


def left(gateway: Gateway, *providers: ScriptedProvider) -> Iterator[str]:
    for one in gateway.service.app.state.routing.state():
        if one.in_flight or one.circuit == "open":
            yield f"{one.name}: {one.in_flight} in flight, {one.circuit}"
    for provider in providers:
        waiting = [call for call in provider.calls if not (call.over.is_set() or call.left.is_set())]
        yield from (f"{call.path} is still asked" for call in waiting)


@pytest.mark.parametrize(
    ("said", "section", "members", "path", "stride"),
    [
        (WHOLE, {}, {}, "", 2),
        (STREAM, {}, {"stream": True}, "", 6),
        (STREAM, {}, {"stream": True}, MESSAGES, 6),
        (STREAM, {"guards": GUARDS}, {"stream": True, "messages": SECRET}, "", 6),
        (WHOLE, {"cache": {}}, {}, "", 2),
    ],
    ids=["whole", "streamed", "translated", "guarded", "known already"],
)
async def test_a_call(
    opened: Open,
    provider: ScriptedProvider,
    answers: Answers,
    said: tuple[bytes, ...],
    section: dict[str, Any],
    members: dict[str, Any],
    path: str,
    stride: int,
) -> None:
    provider.will(answers.saying(said))
    async with opened(provider, limits=LIMITS, **section) as gateway:

        async def send() -> int:
            way = {"path": path} if path else {}
            return (await gateway.hear(request(max_tokens=20, **members), **way)).status

        answers.cutting = Cutting(gateway.service)
        kind = Kind(send=send, left=lambda: left(gateway, provider))
        await answers.cutting.everywhere(kind, stride=stride)


async def test_a_call_whose_answer_is_to_be_kept(
    opened: Open, provider: ScriptedProvider, answers: Answers
) -> None:
    provider.will(answers.saying(WHOLE))
    async with opened(provider, limits=LIMITS, cache={}) as gateway:

        async def send() -> int:
            new = [{"role": "user", "content": uuid4().hex}]
            return (await gateway.ask(max_tokens=20, messages=new)).status

        answers.cutting = Cutting(gateway.service)
        kind = Kind(send=send, left=lambda: left(gateway, provider))
        await answers.cutting.everywhere(kind, stride=2)


async def test_a_call_that_falls_back(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider, answers: Answers
) -> None:
    provider.will(answers.saying((b'{"error":{"message":"no"}}',), status=503))
    second.will(answers.saying(STREAM))
    async with opened(provider, second, limits=LIMITS, router=PATIENT) as gateway:

        async def send() -> int:
            return (await gateway.ask(max_tokens=20, stream=True)).status

        answers.cutting = Cutting(gateway.service)
        kind = Kind(send=send, left=lambda: left(gateway, provider, second))
        await answers.cutting.everywhere(kind, stride=6)


async def test_a_call_that_tries_whether_a_provider_is_well_again(
    opened: Open, provider: ScriptedProvider, answers: Answers
) -> None:
    provider.will(answers.saying(WHOLE))
    router = {"breaker": {"consecutive": 1, "cooldown_seconds": 0.001}}
    async with opened(provider, limits=LIMITS, router=router) as gateway:
        known = gateway.service.app.state.routing._state.known

        async def before() -> None:
            for one in known():
                one.circuit.succeeded()
                one.circuit.failed()
            await asyncio.sleep(0.002)

        def probing() -> Iterator[str]:
            yield from (f"{one.name} is tried" for one in known() if one.circuit._probing)

        async def send() -> int:
            return (await gateway.ask(max_tokens=20)).status

        answers.cutting = Cutting(gateway.service)
        await answers.cutting.everywhere(Kind(send=send, before=before, left=probing))


async def test_a_call_that_waits_for_a_person(
    opened: Open, provider: ScriptedProvider, answers: Answers
) -> None:
    provider.will(answers.saying(WHOLE))
    async with opened(provider, limits=LIMITS) as gateway:
        parts, caller = gateway.service.parts, someone()
        await asks(gateway.edge, parts, "model:*")

        async def send() -> int:
            async with approving(parts):
                return (await gateway.ask(caller, max_tokens=20)).status

        answers.cutting, spending = Cutting(gateway.service), Spending(parts, lambda: len(provider.calls))
        await spending.everywhere(answers.cutting, send, lambda: left(gateway, provider), stride=4)
