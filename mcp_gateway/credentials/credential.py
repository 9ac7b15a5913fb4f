"""What every kind of credential is: headers for a server, on behalf of whoever calls."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol

from shared.errors import UpstreamFault, UpstreamRefused

# Tenant, principal and then who acts for it; () is the gateway itself, when it reads a server's lists.
Owner = tuple[str, ...]
HeaderList = list[tuple[bytes | str, bytes | str]]


class ConsentNeeded(UpstreamRefused):
    """Nobody but the user can help: the server wants to know that they allow it, or allow `scopes` too."""

    def __init__(self, server: str, owner: Owner, scopes: Sequence[str] = ()) -> None:
        who = owner[1] if owner else "nobody"
        super().__init__(
            f"the MCP server {server!r} has not been allowed by {who} to be used here",
            upstream_status=401,
            retryable=False,
        )
        self.server = server
        self.scopes = tuple(scopes)


class NoCredential(UpstreamRefused):
    """There is no credential to be had for this caller now. That is not the server's fault: it may well
    answer others.
    """

    def __init__(self, error: UpstreamFault) -> None:
        super().__init__(error.detail, upstream_status=401, retryable=False, retry_after=error.retry_after)
        self.cause = error


@contextlib.contextmanager
def obtaining() -> Iterator[None]:
    """Whatever keeps a credential from being had, as ConsentNeeded or NoCredential."""
    try:
        yield
    except ConsentNeeded:
        raise
    except UpstreamFault as error:
        raise NoCredential(error) from error


class Credential(Protocol):
    async def headers(self, owner: Owner) -> HeaderList:
        """What to send along. Raises UpstreamFault, ConsentNeeded."""
        ...

    async def refused(
        self, owner: Owner, sent: HeaderList, status: int, challenge: str | None, *, last: bool
    ) -> bool:
        """The server answered 401 or 403 to what was `sent`: could another try go better? `last`: there will
        be none. Raises ConsentNeeded, UpstreamFault.
        """
        ...

    async def close(self) -> None: ...


class Static:
    """The same headers for everybody, or none at all."""

    def __init__(self, headers: HeaderList) -> None:
        self._headers = headers

    async def headers(self, owner: Owner) -> HeaderList:
        return self._headers

    async def refused(
        self, owner: Owner, sent: HeaderList, status: int, challenge: str | None, *, last: bool
    ) -> bool:
        return False

    async def close(self) -> None:
        pass


def bearer(token: str) -> HeaderList:
    return [("authorization", f"Bearer {token}")]
