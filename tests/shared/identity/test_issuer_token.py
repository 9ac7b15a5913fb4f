"""Tokens of identity providers that must not count, however they are put together."""

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.errors import Unauthenticated
from shared.identity.issuer_token import read_keys
from shared.identity.issuers import Issuers
from tests.shared.identity.provided import View
from tests.support.identity_provider import AUDIENCE


def encoded(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refused(issuers: Issuers, token: str, why: str = "token") -> None:
    with pytest.raises(Unauthenticated, match=why):
        await issuers.principal(token)


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_algorithm_counts_where_it_is_pinned_and_only_there(view: View, alg: str) -> None:
    view.idp.add("other", alg)
    token = view.idp.token(kid="other")
    async with view.issuers(algorithms=[alg]) as issuers:
        assert await issuers.principal(token)
        tampered = token[:-8] + ("A" * 8 if not token.endswith("A" * 8) else "B" * 8)
        await refused(issuers, tampered)
    others = [name for name in ("RS256", "PS256", "ES256", "EdDSA") if name != alg]
    async with view.issuers(algorithms=others) as issuers:
        await refused(issuers, token, "signed with")


async def test_a_public_key_is_no_shared_secret_and_none_no_signature(view: View) -> None:
    public = view.idp.private["one"].public_key()
    secrets = (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(view.idp.jwk("one")).encode(),
    )
    async with view.issuers(algorithms=["RS256", "PS256", "ES256", "EdDSA"]) as issuers:
        for secret in secrets:
            signed = f"{encoded({'alg': 'HS256', 'kid': 'one'})}.{encoded(view.idp.claims())}"
            proof = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            await refused(issuers, f"{signed}.{encoded(proof)}", "signed with")
        for alg in ("none", "None", "NONE", ""):
            head = encoded({"alg": alg, "kid": "one"})
            await refused(issuers, f"{head}.{encoded(view.idp.claims())}.", "signed with")


async def test_a_key_is_only_used_for_the_algorithm_it_was_published_for(view: View) -> None:
    token = jwt.encode(view.idp.claims(), view.idp.private["one"], "PS256", headers={"kid": "one"})
    async with view.issuers(algorithms=["RS256", "PS256"]) as issuers:
        await refused(issuers, token, "signature")


async def test_keys_that_a_header_brings_along_are_never_looked_at(view: View) -> None:
    view.idp.add("evil", publish=False)
    evil = view.idp.jwk("evil")
    async with view.issuers() as issuers:
        for header in (
            {"jwk": evil, "kid": "one"},
            {"jku": f"{view.idp.url}/elsewhere", "kid": "one"},
            {"x5u": f"{view.idp.url}/elsewhere", "x5c": ["MIIB"], "kid": "one"},
        ):
            await refused(issuers, view.idp.token(kid="evil", header=header), "signature")
    assert view.idp.asked == 1


@pytest.mark.parametrize(
    "kid", ["", "../../dev/null", "one' OR '1'='1", "http://127.0.0.1/keys", "one\x00", "o" * 4000]
)
async def test_a_kid_is_a_name_and_nothing_else(view: View, kid: str) -> None:
    async with view.issuers() as issuers:
        await refused(issuers, view.idp.token(header={"kid": kid}))


async def test_headers_that_ask_for_more_are_refused(view: View) -> None:
    async with view.issuers() as issuers:
        for header in (
            {"crit": ["exp"]},
            {"b64": False, "crit": ["b64"]},
            {"cty": "JWT"},
            {"typ": "dpop+jwt"},
            {"typ": "logout+jwt"},
            {"kid": 7},
        ):
            head, body, proof = view.idp.token().split(".")
            told = json.loads(base64.urlsafe_b64decode(head + "=="))
            await refused(issuers, f"{encoded(told | header)}.{body}.{proof}")


async def test_the_type_is_compared_where_one_is_named(view: View) -> None:
    async with view.issuers(typ="at+jwt") as issuers:
        for typ in ("at+jwt", "AT+JWT", "application/at+jwt"):
            assert await issuers.principal(view.idp.token(header={"typ": typ}))
        await refused(issuers, view.idp.token(), "type at")


async def test_the_audience_may_be_one_of_several(view: View) -> None:
    async with view.issuers() as issuers:
        assert await issuers.principal(view.idp.token(aud=["other", AUDIENCE]))
        for aud in (None, "other", [], ["other"], [[AUDIENCE]], {AUDIENCE: 1}, AUDIENCE + " ", 7):
            await refused(issuers, view.idp.token(aud=aud), "another service")


async def test_clocks_may_differ_by_the_leeway(view: View) -> None:
    now = int(view.clock.now())
    async with view.issuers(leeway_seconds=30) as issuers:
        assert await issuers.principal(view.idp.token(exp=now - 29))
        assert await issuers.principal(view.idp.token(iat=now + 29, nbf=now + 29.5))
        assert await issuers.principal(view.idp.token(iat=None, exp=now + 1.5))
        await refused(issuers, view.idp.token(exp=now - 30), "expired")
        await refused(issuers, view.idp.token(nbf=now + 31), "not valid yet")
        await refused(issuers, view.idp.token(iat=now + 31), "not valid yet")


@pytest.mark.parametrize("exp", [None, "9999999999", True, [1], {}, 1e400])
async def test_a_token_says_when_it_ends(view: View, exp: Any) -> None:
    head, body = encoded({"alg": "RS256", "kid": "one"}), encoded(view.idp.claims(exp=exp))
    proof = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        f"{head}.{body}".encode(), view.idp.private["one"]
    )
    async with view.issuers() as issuers:
        # What is no JSON names no issuer either.
        with contextlib.suppress(Unauthenticated):
            assert await issuers.principal(f"{head}.{body}.{encoded(proof)}") is None


async def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(view: View) -> None:
    async with view.issuers() as issuers:
        for cnf in ({"jkt": "0ZcOCORZNYy"}, {"x5t#S256": "bwcK0esc3ACC3DB2Y5"}, {}, "x"):
            await refused(issuers, view.idp.token(cnf=cnf), "bound to a key")
        await refused(issuers, view.idp.token(events={"backchannel-logout": {}}), "event")


async def test_who_acts_for_somebody_does_not_pass_for_them(view: View) -> None:
    """As the person themselves an agent could say yes to its own calls."""
    async with view.issuers() as issuers:
        for actor in ({"sub": "planner"}, {}, "planner"):
            await refused(issuers, view.idp.token(act=actor), "acts for its subject")


async def test_a_token_counts_for_the_applications_that_it_was_issued_to(view: View) -> None:
    async with view.issuers(clients=["console", "cli"]) as issuers:
        assert await issuers.principal(view.idp.token(azp="cli"))
        assert await issuers.principal(view.idp.token(client_id="console"))
        for stranger in (
            {"azp": "somebody"},
            {"client_id": "somebody"},
            {"azp": "somebody", "client_id": "cli"},
            {"azp": ["cli"]},
            {"azp": ""},
            {},
        ):
            await refused(issuers, view.idp.token(**stranger), "application")


async def test_a_nested_token_is_none(view: View) -> None:
    inner = view.idp.token().encode()
    head = encoded({"alg": "RS256", "kid": "one", "cty": "JWT"})
    async with view.issuers() as issuers:
        assert await issuers.principal(f"{head}.{encoded(inner)}.{encoded(b'x')}") is None


async def test_one_token_has_one_spelling_and_each_claim_once(view: View) -> None:
    head, body, proof = view.idp.token().split(".")
    twice = json.dumps(view.idp.claims())[:-1] + ', "org": "globex"}'
    async with view.issuers() as issuers:
        await refused(issuers, f"{head}=.{body}.{proof}", "base64url")
        assert await issuers.principal(f"{head}.{encoded(twice.encode())}.{proof}") is None


def test_of_a_key_set_only_what_verifies_is_read(view: View) -> None:
    good = view.idp.jwk("one")
    others = [
        None,
        7,
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "wrong", "alg": "HS256"},
        {**good, "kid": 7},
        {**good, "kid": "tiny", "n": "AQAB"},
        {**good, "kid": "slow", "e": good["n"]},
        {**good, "kid": "odd", "n": 7},
        {"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ", "kid": "off"},
    ]
    assert list(read_keys(json.dumps({"keys": [*others, good]}).encode())) == ["one"]
    for document in (b"{}", b"[]", b'{"keys": 7}', b"x", json.dumps({"keys": others}).encode()):
        with pytest.raises(ValueError, match=r"."):
            read_keys(document)
