"""Guards run in their order, once a request before any provider and on everything that goes out."""

from llm_gateway.chat import Ask
from llm_gateway.guard import inspect, watch
from shared.ledger.entry import Entry
from tests.llm_gateway.samples import ask

ENTRY = Entry(id="e1", service="llm_gateway", started_at=0)


class Marking:
    """Leaves its mark on everything it sees."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def inspect(self, ask: Ask, entry: Entry) -> Ask:
        return type(ask)(
            **{field: getattr(ask, field) for field in ask.__struct_fields__}
            | {"model": ask.model + self.name}
        )

    def watch(self, reply: bytes, entry: Entry) -> bytes:
        return reply + self.name.encode()


async def test_guards_see_a_request_one_after_the_other() -> None:
    seen = await inspect(ask(model=""), (Marking("a"), Marking("b")), ENTRY)
    assert seen.model == "ab"


def test_guards_see_a_reply_one_after_the_other() -> None:
    assert watch(b"", (Marking("a"), Marking("b")), ENTRY) == b"ab"


async def test_without_guards_nothing_changes() -> None:
    given = ask()
    assert await inspect(given, (), ENTRY) is given
    assert watch(b"x", (), ENTRY) == b"x"
