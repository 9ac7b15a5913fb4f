"""A checkpoint proves something only to those who know the key, and only of the place it was signed for."""

import msgspec

from shared.identity import jws
from shared.identity.signing import Signer
from shared.ledger.checkpoint import TYPE, Mark, Notary, key_of, sign

MARK = Mark("llm_gateway-w", 7, "ab" * 32)


def test_a_checkpoint_says_what_was_signed() -> None:
    signer = Signer("llm_gateway")
    assert Notary([signer.jwks()]).mark(sign(signer, MARK, at=5)) == MARK


def test_the_key_that_a_checkpoint_carries_is_enough_to_check_it_later() -> None:
    signer = Signer("llm_gateway")
    token = sign(signer, MARK, at=5)
    key = key_of(token)
    assert key is not None
    assert (key.kid, key.issuer) == (signer.kid, "llm_gateway")
    assert Notary(keys=[key.jwk]).mark(token) == MARK


def test_a_checkpoint_of_an_unknown_key_is_refused_with_its_name() -> None:
    forger = Signer("llm_gateway")
    problem = Notary([Signer("llm_gateway").jwks()]).mark(sign(forger, MARK, at=5))
    assert isinstance(problem, str)
    assert forger.kid in problem


def test_a_changed_checkpoint_is_forged_and_its_key_is_not_learned() -> None:
    signer = Signer("llm_gateway")
    head, claims, signature = sign(signer, MARK, at=5).split(".")
    changed = dict(jws.read(f"{head}.{claims}.{signature}").claims) | {"seq": 8}
    token = f"{head}.{jws.encoded(msgspec.json.encode(changed)).decode()}.{signature}"
    assert Notary([signer.jwks()]).mark(token) == "its signature is forged"
    assert key_of(token) is None


def test_a_token_of_another_type_is_no_checkpoint() -> None:
    signer = Signer("llm_gateway")
    token = signer.sign(jws.read(sign(signer, MARK, at=5)).claims, typ="txn+jwt")
    assert isinstance(Notary([signer.jwks()]).mark(token), str)
    assert isinstance(Notary([signer.jwks()]).mark(signer.sign({"seq": 1}, typ=TYPE)), str)
    assert isinstance(Notary([signer.jwks()]).mark("nonsense"), str)
    assert key_of("nonsense") is None
