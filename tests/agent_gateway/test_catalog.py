"""Which configured names mean one and the same agent, and where its card is."""

import pytest

from agent_gateway.catalog import Catalog, Endpoint
from agent_gateway.config import AgentEntry


def test_an_agent_is_found_by_its_name_and_as_a_principal() -> None:
    catalog = Catalog({"writer": AgentEntry(url="http://127.0.0.1:9001/a2a/rpc")})
    writer = catalog.find("writer")
    assert writer is not None
    assert writer is catalog.acting("agent:writer")
    assert writer.principal == "agent:writer"
    assert catalog.find("reader") is None
    assert catalog.acting("user:writer") is None
    assert catalog.acting("agent:writer/skill/x") is None


def test_a_card_is_at_the_root_of_the_agents_host_unless_told_otherwise() -> None:
    catalog = Catalog(
        {
            "one": AgentEntry(url="http://host:9001/a2a/rpc?x=1"),
            "two": AgentEntry(url="http://host:9001/", card_url="http://cards/two.json"),
        }
    )
    assert [agent.card_url for agent in catalog] == [
        "http://host:9001/.well-known/agent-card.json",
        "http://cards/two.json",
    ]


@pytest.mark.parametrize("other", ["http://HOST:80/rpc", "http://host/rpc/", "HTTP://host/rpc"])
def test_two_spellings_of_an_address_are_one_endpoint(other: str) -> None:
    assert Endpoint("http://host/rpc", "").identity == Endpoint(other, "").identity


@pytest.mark.parametrize(
    ("other", "tenant"), [("http://host/rpc2", ""), ("http://host:81/rpc", ""), ("http://host/rpc", "t")]
)
def test_another_path_port_or_tenant_is_another_endpoint(other: str, tenant: str) -> None:
    assert Endpoint("http://host/rpc", "").identity != Endpoint(other, tenant).identity
