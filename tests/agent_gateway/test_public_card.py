"""A card leads to the gateway, asks for the gateway's credential, and promises nothing that does not get
through.
"""

from typing import Any

import msgspec
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3.types import AgentCard
from google.protobuf.json_format import MessageToDict

from agent_gateway.cards import Card
from agent_gateway.public_card import public_card
from agent_gateway.served_card import ServedCard
from tests.support.agents import card_of

URL = "https://edge.example/agents/writer"
EXTENSION = "https://e.example/allowed"
OWN: dict[str, Any] = MessageToDict(card_of("writer", "http://10.0.0.7:9001/"))


def _public(content: dict[str, Any], since: float = 1_700_000_000.0) -> ServedCard:
    return public_card(Card(content, since, 0.0), URL, frozenset([EXTENSION]))


def test_the_agents_own_address_credentials_and_signatures_do_not_get_out() -> None:
    own = OWN | {
        "url": "http://10.0.0.7:9001/",
        "additionalInterfaces": [{"url": "http://10.0.0.7:9002/"}],
        "signatures": [{"protected": "x", "signature": "y"}],
        "securitySchemes": {"own": {"apiKeySecurityScheme": {"location": "header", "name": "X-Own"}}},
        "skills": [{"id": "s", "name": "S", "securityRequirements": [{"schemes": {"own": {}}}]}],
    }
    text = _public(own).body.decode()
    assert "10.0.0.7" not in text
    assert "X-Own" not in text
    assert "signatures" not in text
    assert '"own"' not in text


def test_the_official_client_reads_it_and_finds_our_interfaces_only() -> None:
    card = parse_agent_card(msgspec.json.decode(_public(OWN).body))
    found = [(one.protocol_binding, one.protocol_version) for one in card.supported_interfaces]
    assert found == [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")]
    assert {(one.url, one.tenant) for one in card.supported_interfaces} == {(URL, "")}
    assert card.name == "writer"
    assert [skill.id for skill in card.skills] == ["talk"]
    [(name, scheme)] = card.security_schemes.items()
    assert scheme.http_auth_security_scheme.scheme == "Bearer"
    assert name in card.security_requirements[0].schemes


def test_capabilities_are_what_gets_through() -> None:
    own = OWN | {
        "capabilities": {
            "streaming": True,
            "pushNotifications": True,
            "extendedAgentCard": True,
            "extensions": [{"uri": EXTENSION}, {"uri": "https://e.example/other", "required": True}, "odd"],
        }
    }
    found = msgspec.json.decode(_public(own).body)["capabilities"]
    assert found == {
        "streaming": True,
        "pushNotifications": True,
        "extendedAgentCard": True,
        "extensions": [{"uri": EXTENSION}],
    }
    bare = msgspec.json.decode(_public(OWN | {"capabilities": None}).body)["capabilities"]
    assert not any(bare.values())


def test_a_reader_of_0_3_finds_what_it_looks_for_in_the_same_card() -> None:
    card = AgentCard.model_validate(msgspec.json.decode(_public(OWN).body))
    assert (card.url, card.preferred_transport, card.protocol_version) == (URL, "JSONRPC", "0.3.0")
    assert [one.transport for one in card.additional_interfaces or ()] == ["JSONRPC", "HTTP+JSON"]
    assert card.security_schemes is not None
    assert card.security_schemes["gatestack"].root.type == "http"


def test_the_card_of_an_agent_of_0_3_is_one_of_both() -> None:
    given = OWN | {"url": "http://10.0.0.7/", "supportsAuthenticatedExtendedCard": True}
    old = {name: value for name, value in given.items() if name != "supportedInterfaces"}
    found = msgspec.json.decode(_public(old).body)
    assert found["capabilities"]["extendedAgentCard"] is True
    assert found["supportsAuthenticatedExtendedCard"] is True
    assert len(parse_agent_card(found).supported_interfaces) == 4


def test_a_cache_can_tell_whether_it_has_changed() -> None:
    card = _public(OWN)
    assert card.etag == _public(OWN, since=0.0).etag
    assert card.etag != _public(OWN | {"version": "2"}).etag
    assert card.unchanged(card.etag)
    assert card.unchanged(f'"other", W/{card.etag}')
    assert card.unchanged("*")
    assert not card.unchanged('"other"')
    assert not card.unchanged(None)
    headers = dict(card.headers())
    assert headers[b"last-modified"] == b"Tue, 14 Nov 2023 22:13:20 GMT"
    assert headers[b"cache-control"].startswith(b"private")
