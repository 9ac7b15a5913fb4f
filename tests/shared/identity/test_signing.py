"""Keys as files: private, shared by those that share a directory, rotated without a gap."""

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.identity import jwks, jws
from shared.identity.signing import OVERLAP_SECONDS, RETIRE_SECONDS, Signer
from tests.shared.identity import forge
from tests.support.clock import FakeClock


def kids(signer: Signer) -> list[str]:
    return [key["kid"] for key in json.loads(signer.jwks())["keys"]]


def kid_of(token: str) -> str:
    return jws.read(token).header.kid


def first_kid(directory: Path) -> str:
    return Signer.load_or_create(directory, "edge").kid


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = Signer.load_or_create(tmp_path / "keys", "edge")
    again = Signer.load_or_create(tmp_path / "keys", "edge")
    assert first.kid == again.kid
    assert first.jwks() == again.jwks()


def test_two_services_in_one_directory_have_different_keys(tmp_path: Path) -> None:
    edge, agents = (Signer.load_or_create(tmp_path, name) for name in ("edge", "agents"))
    assert edge.kid != agents.kid
    assert kids(edge) == [edge.kid]
    assert kids(agents) == [agents.kid]


def test_those_that_start_at_once_share_one_first_key(tmp_path: Path) -> None:
    # The lock belongs to an open file: between threads it works as it does between processes.
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first_kid, [tmp_path] * 8))) == 1


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    Signer.load_or_create(tmp_path / "keys", "edge")
    [file] = (tmp_path / "keys").glob("*.pem")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_a_key_that_everybody_can_read_is_not_used(tmp_path: Path) -> None:
    Signer.load_or_create(tmp_path, "edge")
    [file] = tmp_path.glob("*.pem")
    file.chmod(0o644)
    with pytest.raises(OSError, match="chmod 600"):
        Signer.load_or_create(tmp_path, "edge")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("edge.1.x.pem", b"nonsense", "not an unencrypted PEM"),
        ("edge.1.x.pem", b"", "not an unencrypted PEM"),
        (
            "edge.1.x.pem",
            Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "not a P-256 key",
        ),
        ("edge.then.x.pem", b"nonsense", "is not named|not an unencrypted"),
    ],
    ids=["nonsense", "empty", "other curve", "bad name"],
)
def test_a_file_that_is_no_key_stops_the_start_and_is_named(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    file = tmp_path / name
    file.touch(mode=0o600)
    file.write_bytes(content)
    with pytest.raises(OSError, match=why) as caught:
        Signer.load_or_create(tmp_path, "edge")
    assert name in str(caught.value)


def test_a_token_carries_issuer_type_and_kid() -> None:
    signer = Signer("edge")
    token = signer.sign({"sub": "user:alice"}, typ="txn+jwt")
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "txn+jwt", "kid": signer.kid}
    key = jwt.PyJWKSet.from_json(signer.jwks().decode())[signer.kid]
    assert jwt.decode(token, key, algorithms=["ES256"]) == {"iss": "edge", "sub": "user:alice"}


def test_a_signer_does_not_sign_for_another_issuer() -> None:
    with pytest.raises(ValueError, match="edge cannot sign for agents"):
        Signer("edge").sign({"iss": "agents"}, typ="txn+jwt")


def test_the_callers_claims_are_left_alone() -> None:
    claims = {"sub": "user:alice"}
    Signer("edge").sign(claims, typ="txn+jwt")
    assert claims == {"sub": "user:alice"}


def test_the_key_set_holds_no_private_part() -> None:
    [key] = json.loads(Signer("edge").jwks())["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_a_kid_is_the_thumbprint_of_its_key() -> None:
    signer = Signer("edge")
    [key] = json.loads(signer.jwks())["keys"]
    canonical = json.dumps(
        {name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"), sort_keys=True
    )
    assert signer.kid == forge.b64(hashlib.sha256(canonical.encode()).digest())


def test_a_new_key_is_published_first_and_signs_after_the_overlap(tmp_path: Path) -> None:
    clock = FakeClock()
    signer = Signer.load_or_create(tmp_path, "edge", clock=clock)
    old = signer.kid
    clock.advance(1000)
    new = signer.rotate()
    assert kids(signer) == [new, old]
    assert kid_of(signer.sign({}, typ="t")) == old
    clock.advance(OVERLAP_SECONDS - 1)
    assert kid_of(signer.sign({}, typ="t")) == old
    clock.advance(31)
    assert kid_of(signer.sign({}, typ="t")) == new
    assert kids(signer) == [new, old]


def test_an_old_key_stays_published_until_all_it_signed_has_expired(tmp_path: Path) -> None:
    clock = FakeClock()
    signer = Signer.load_or_create(tmp_path, "edge", clock=clock)
    old = signer.kid
    clock.advance(1)
    second = signer.rotate()
    clock.advance(RETIRE_SECONDS - 1)
    third = signer.rotate()
    assert kids(signer) == [third, second, old]
    clock.advance(1)
    fourth = signer.rotate()
    assert kids(signer) == [fourth, third, second]
    assert len(list(tmp_path.glob("*.pem"))) == 3
    assert signer.public(old) is None
    assert signer.public(second) is not None


def test_another_process_takes_up_a_rotated_key(tmp_path: Path) -> None:
    clock = FakeClock()
    here = Signer.load_or_create(tmp_path, "edge", clock=clock)
    old = here.kid
    clock.advance(1)
    new = Signer.load_or_create(tmp_path, "edge", clock=clock).rotate()
    assert kids(here) == [new, old]
    clock.advance(OVERLAP_SECONDS)
    assert kid_of(here.sign({}, typ="t")) == new


def test_a_directory_that_breaks_while_we_run_does_not_stop_us(tmp_path: Path) -> None:
    clock = FakeClock()
    signer = Signer.load_or_create(tmp_path, "edge", clock=clock)
    kid = signer.kid
    (tmp_path / "edge.5.bad.pem").write_bytes(b"half a key")
    os.chmod(tmp_path / "edge.5.bad.pem", 0o600)
    clock.advance(60)
    assert kid_of(signer.sign({}, typ="t")) == kid
    for file in tmp_path.glob("*.pem"):
        file.unlink()
    clock.advance(60)
    assert kid_of(signer.sign({}, typ="t")) == kid
    assert list(jwks.read(signer.jwks())) == [kid]
