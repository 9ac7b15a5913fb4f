"""A key set that is kept on this disk answers while its issuer does not, and gives way to what the issuer
says.
"""

from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.identity import jwks
from shared.identity.jwks import IssuerKeys, kept
from shared.identity.signing import Signer
from tests.support.clock import FakeClock


class Issuer:
    def __init__(self) -> None:
        self.signer = Signer("api_gateway")
        self.gone = False
        self.says = b""

    async def fetch(self) -> bytes:
        if self.gone:
            raise Unavailable("nobody answers")
        return self.says or self.signer.jwks()


async def test_what_it_last_said_answers_while_it_is_gone(tmp_path: Path) -> None:
    issuer, file = Issuer(), tmp_path / "kept" / "api_gateway.jwks.json"
    assert await IssuerKeys(kept(issuer.fetch, file), FakeClock(), jwks.read).find(issuer.signer.kid)
    issuer.gone = True
    again = IssuerKeys(kept(issuer.fetch, file), FakeClock(), jwks.read)
    assert await again.find(issuer.signer.kid) is not None
    assert await again.find("another") is None
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_what_is_no_key_set_is_not_kept(tmp_path: Path) -> None:
    issuer, file = Issuer(), tmp_path / "api_gateway.jwks.json"
    fetch = kept(issuer.fetch, file)
    good = await fetch()
    for nonsense in (b"<html>", b'{"keys": []}', b"[" * 100_000):
        issuer.says = nonsense
        assert await fetch() == good
    issuer.says = Signer("api_gateway").jwks()
    assert await fetch() == issuer.says == file.read_bytes()


async def test_without_one_that_was_kept_nobody_can_tell(tmp_path: Path) -> None:
    issuer = Issuer()
    issuer.gone = True
    with pytest.raises(Unavailable):
        await IssuerKeys(kept(issuer.fetch, tmp_path / "none"), FakeClock(), jwks.read).find("any")
