"""The compact form, read strictly: every other spelling of a token is no token."""

import json
from typing import Any

import jwt
import pytest

from shared.errors import Fault, Unauthenticated
from shared.identity import jws
from tests.shared.identity import forge

KEY = forge.some_key()
HEADER = {"alg": "ES256", "typ": "txn+jwt", "kid": "k1"}
GOOD = jws.write(jws.head("txn+jwt", "k1"), {"sub": "user:alice", "n": 1}, KEY)
PUBLIC = KEY.public_key()


def test_what_is_written_is_read_and_signed() -> None:
    read = jws.read(GOOD)
    assert read.header == jws.Header("ES256", "txn+jwt", "k1")
    assert read.claims == {"sub": "user:alice", "n": 1}
    assert read.signed_by(PUBLIC)


def test_another_implementation_verifies_our_tokens() -> None:
    assert jwt.decode(GOOD, PUBLIC, algorithms=["ES256"]) == {"sub": "user:alice", "n": 1}


def test_we_verify_the_tokens_of_another_implementation() -> None:
    theirs = jwt.encode({"sub": "ålice", "f": 1.50}, KEY, "ES256", headers={"typ": "txn+jwt", "kid": "k1"})
    read = jws.read(theirs)
    assert read.signed_by(PUBLIC)
    assert read.claims == {"sub": "ålice", "f": 1.5}


def test_a_signature_of_another_key_does_not_hold() -> None:
    assert not jws.read(GOOD).signed_by(forge.some_key().public_key())


@pytest.mark.parametrize(
    "signature", [b"\0" * 64, b"\xff" * 64, b"\0" * 32 + b"\1" * 32], ids=["zero", "ones", "r=0"]
)
def test_impossible_signatures_do_not_hold_and_do_not_raise(signature: bytes) -> None:
    text = f"{GOOD.rpartition('.')[0]}.{forge.b64(signature)}"
    assert not jws.read(text).signed_by(PUBLIC)


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "none"},
        HEADER | {"alg": "None"},
        HEADER | {"alg": "HS256"},
        HEADER | {"alg": "ES384"},
        HEADER | {"alg": ["ES256"]},
        HEADER | {"crit": ["exp"]},
        HEADER | {"b64": False, "crit": ["b64"]},
        HEADER | {"jku": "https://evil.example/jwks.json"},
        HEADER | {"x5u": "https://evil.example/x.pem"},
        HEADER | {"x5c": ["MIIB"]},
        HEADER | {"jwk": {"kty": "EC"}},
        HEADER | {"zip": "DEF"},
        HEADER | {"kid": None},
        HEADER | {"kid": 7},
        HEADER | {"typ": True},
        {"alg": "ES256", "typ": "txn+jwt"},
        {},
        b'{"alg":"none","alg":"ES256","typ":"txn+jwt","kid":"k1"}',
        b'{"alg":"ES256","typ":"txn+jwt","kid":"k0","k\\u0069d":"k1"}',
        b"[]",
        b'"ES256"',
        b"",
        b"\xff",
    ],
    ids=str,
)
def test_a_header_says_alg_typ_and_kid_and_nothing_more(header: dict[str, Any] | bytes) -> None:
    with pytest.raises(Unauthenticated):
        jws.read(forge.token(header, {"sub": "user:alice"}, KEY))


@pytest.mark.parametrize(
    "claims",
    [
        b'{"sub":"user:alice","sub":"user:root"}',
        b'{"act":{"sub":"a","sub":"b"}}',
        b'{"list":[{"x":1,"x":2}]}',
        b'{"sub":"a", "s\\u0075b":"b"}',
        b"[]",
        b"null",
        b"1",
        b"",
        b"{",
        b'{"sub":"a"} {}',
        b'{"sub":"\xff"}',
        b'{"sub":"\\ud800"}',
        b'{"n":NaN}',
        b'{"n":1e999}',
        b'{"x":' + b"[" * 2500 + b"]" * 2500 + b"}",
        b"[" * 3000,
    ],
    ids=lambda claims: repr(claims[:30]),
)
def test_claims_are_one_json_object_with_each_name_once(claims: bytes) -> None:
    text = forge.token(HEADER, claims, KEY)
    assert len(text) <= jws.MAX_BYTES
    with pytest.raises(Unauthenticated):
        jws.read(text)


def test_another_spelling_of_the_same_json_is_fine() -> None:
    spaced = json.dumps({"sub": "ålice", "n": 1}, indent=1).encode()
    assert jws.read(forge.token(HEADER, spaced, KEY)).claims == {"sub": "ålice", "n": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        GOOD + ".",
        "." + GOOD,
        GOOD + "=",
        GOOD + "\n",
        " " + GOOD,
        "Bearer " + GOOD,
        GOOD.replace(".", "=.", 1),
        GOOD.replace(".", "..", 1),
        GOOD[:-1],
        GOOD[:-2],
        GOOD.replace("e", "!", 1),
        GOOD.replace("e", "é", 1),
        GOOD.replace("e", "\ud800", 1),
        GOOD.replace("e", "\0", 1),
        GOOD.rpartition(".")[0] + ".",
        GOOD.rpartition(".")[0] + "." + forge.b64(b"\1" * 63),
        GOOD.rpartition(".")[0] + "." + forge.b64(b"\1" * 65),
        json.dumps({"payload": GOOD.split(".")[1], "signatures": []}),
        GOOD + "." + GOOD.partition(".")[2],
        "a" * (jws.MAX_BYTES + 1),
    ],
    # Signatures are random: made from them, the names would differ between processes.
    ids=range(25),
)
def test_only_the_compact_serialisation_is_read(text: str) -> None:
    with pytest.raises(Unauthenticated):
        jws.read(text)


def test_stray_bits_at_the_end_of_a_segment_make_it_another_token() -> None:
    head, _, signature = GOOD.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 64 bytes leave four bits of the last character unused.
    sibling = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    assert forge.unb64(sibling) == forge.unb64(signature)
    with pytest.raises(Unauthenticated):
        jws.read(f"{head}.{sibling}")


def test_a_token_that_no_service_would_accept_is_not_made() -> None:
    with pytest.raises(Fault, match="shorten the key's scope"):
        jws.write(jws.head("txn+jwt", "k1"), {"scope": ["model:x"] * 1000}, KEY)
