"""Cards are believed as far as known keys and approved hashes reach; what has changed waits for a person."""

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from a2a.types import AgentInterface
from a2a.utils.signing import (
    InvalidSignaturesError,
    create_agent_card_signer,
    create_signature_verifier,
)
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from agent_gateway.trust.sign import signed
from shared.card_trust import changes, trusted
from shared.identity.detached import TrustedKey
from shared.identity.jcs import canonical
from tests.agent_gateway.gateway import message
from tests.agent_gateway.trusting import CARD, Publisher, card, held
from tests.support.agents import card_of
from tests.support.serve import someone


def test_what_the_official_sdk_signs_and_serves_is_verified() -> None:
    publisher = Publisher()
    key: Any = publisher.signer._keys[0].private
    sign = create_agent_card_signer(
        key, {"kid": publisher.signer.kid, "alg": "ES256", "jku": None, "typ": "JOSE"}
    )
    own = card_of("größe 😀", "http://127.0.0.1:1/")
    own.supported_interfaces.append(
        AgentInterface(url="http://127.0.0.1:1/", protocol_binding="JSONRPC", protocol_version="0.3")
    )
    served = agent_card_to_dict(sign(own))
    assert "url" in served
    judged = trusted(served, [TrustedKey.of(publisher.jwk)])
    assert judged.signed
    # What the SDK has put beside it for older readers is not covered, and not relied upon.
    assert "url" not in judged.content
    served["url"] = "http://evil.example/"
    assert "evil" not in str(trusted(served, [TrustedKey.of(publisher.jwk)]).content)
    served["description"] = "evil"
    assert not trusted(served, [TrustedKey.of(publisher.jwk)]).signed


async def test_the_official_sdk_verifies_the_cards_that_we_serve(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(signed(card("größe", url="http://old.test/"), publisher.signer))
    async with held(tmp_path, publisher, {"keys": [publisher.jwk]}) as (gate, _):
        first, second = await gate.get(CARD), await gate.get(CARD)
        assert first.headers["etag"] == second.headers["etag"]
        again = await gate.get(CARD, if_none_match=first.headers["etag"])
        assert again.status == 304
        kids: list[str | None] = []

        def provide(kid: str | None, jku: str | None) -> jwt.PyJWK:
            kids.append(kid)
            return jwt.PyJWK(msgspec.json.decode(gate.parts.signer.jwks())["keys"][0])

        served = parse_agent_card(first.json)
        create_signature_verifier(provide, ["ES256"])(served)
        assert kids == [gate.parts.signer.kid]
        served.description = "evil"
        with pytest.raises(InvalidSignaturesError):
            create_signature_verifier(provide, ["ES256"])(served)


@pytest.mark.parametrize("kind", ["EdDSA", "RS256"])
def test_other_kinds_of_keys_verify_too(kind: str) -> None:
    private: Any = (
        ed25519.Ed25519PrivateKey.generate()
        if kind == "EdDSA"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    algorithm = jwt.get_algorithm_by_name(kind)
    jwk = algorithm.to_jwk(private.public_key(), as_dict=True)
    payload = canonical(card())
    protected, _, signature = jwt.api_jws.encode(payload, private, algorithm=kind).split(".")
    given = {**card(), "signatures": [{"protected": protected, "signature": signature}]}
    assert trusted(given, [TrustedKey.of(jwk)]).signed
    assert not trusted({**given, "name": "x"}, [TrustedKey.of(jwk)]).signed


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "HS256"}, {"alg": "ES256", "crit": ["b64"]}, {"alg": "RS256"}],
    ids=str,
)
def test_a_header_cannot_choose_how_it_is_verified(header: dict[str, Any]) -> None:
    publisher = Publisher()
    good = signed(card(), publisher.signer)["signatures"][0]
    protected = urlsafe_b64encode(msgspec.json.encode(header)).rstrip(b"=").decode()
    given = {**card(), "signatures": [{"protected": protected, "signature": good["signature"]}]}
    assert not trusted(given, [TrustedKey.of(publisher.jwk)]).signed


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    ],
    ids=str,
)
def test_a_key_that_is_none_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        TrustedKey.of(jwk)


def test_a_public_half_cannot_be_used_as_a_secret() -> None:
    publisher = Publisher()
    with pytest.raises(ValueError, match="sign"):
        TrustedKey.of({**publisher.jwk, "alg": "HS256"})
    with pytest.raises(ValueError, match="sign"):
        TrustedKey.of({**publisher.jwk, "use": "enc"})


def test_what_has_changed_is_told_in_lines() -> None:
    before, after = card(), card(skills=[{"id": "write", "name": "Write", "tags": []}, {"id": "pay"}])
    assert changes(before, after) == [
        'skills[0].description: "Writes." -> nothing',
        'skills[0].tags: ["text"] -> nothing',
        'skills[1]: nothing -> {"id":"pay"}',
    ]
    assert changes(before, {**before, "signatures": [{}]}) == []
    many = changes({}, {f"m{number}": number for number in range(80)})
    assert many[-1] == "and 30 more"


async def test_a_foreign_tenants_agent_looks_like_none(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.publish(card())
    async with held(tmp_path, publisher, {}) as (gate, agent):
        record = {"name": "theirs", "tenant": "other", "card_url": agent.card_url}
        await gate.edge.publish(gate.parts, "agents", [record])
        answer = await gate.call("theirs", "SendMessage", message(), someone(tenant="acme"))
        missing = await gate.call("nobody", "SendMessage", message(), someone(tenant="acme"))
        assert answer.code == missing.code
        assert answer.message.replace("theirs", "nobody") == missing.message
