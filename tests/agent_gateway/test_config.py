"""The agent gateway's configuration: every mistake is named with its path before a socket opens."""

from agent_gateway.config import AgentEntry, Section, problems
from shared.config import Secret


def _of(name: str = "planner", **entry: object) -> list[str]:
    return problems(Section(agents={name: AgentEntry(**entry)}))  # type: ignore[arg-type]


def test_what_is_right_raises_no_problem() -> None:
    assert problems(Section()) == []
    assert _of(url="http://127.0.0.1:9001/") == []
    assert _of(card_url="https://agents.example.com/card.json") == []


def test_an_agent_needs_an_address() -> None:
    assert _of() == ["agents.planner: needs a url (its JSON-RPC endpoint) or a card_url"]


def test_every_wrong_thing_is_reported_at_once() -> None:
    section = Section(
        bind="nowhere",
        public_url="example.com",
        extensions=["https://e.example/one, https://e.example/two"],
        agents={
            "Planner": AgentEntry(url="http://a/"),
            "writer": AgentEntry(url="ftp://b/", card_url="c"),
        },
    )
    assert [problem.partition(":")[0] for problem in problems(section)] == [
        "bind",
        "public_url",
        "extensions[0]",
        "agents.Planner",
        "agents.writer.url",
        "agents.writer.card_url",
    ]


def test_headers_that_the_gateway_writes_itself_cannot_be_configured() -> None:
    for name in ("A2A-Version", "Host", "traceparent", "Txn-Token", "bad name"):
        assert len(_of(url="http://a/", headers={name: Secret("x")})) == 1


def test_a_static_credential_and_a_delegation_token_cannot_share_one_header() -> None:
    static = {"Authorization": Secret("Bearer x")}
    assert len(_of(url="http://a/", headers=static)) == 1
    assert _of(url="http://a/", headers=static, credential="none") == []


def test_a_secret_that_no_header_can_carry_is_found_before_it_is_sent() -> None:
    assert len(_of(url="http://a/", headers={"X-Key": Secret("one\r\nX-Other: two")})) == 1
