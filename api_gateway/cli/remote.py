"""Calls to a running edge's admin API, with messages for the person at the terminal."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from cyclopts import Parameter

from shared.errors import UpstreamFault
from shared.http_client import HttpClient

_CAP = 64 * 1024 * 1024
KEY_FILE = ".gatestack/operator.key"
_PATIENCE = 30.0
_ADMIN, _REGISTRY = "/admin/api", "/registry/v0.1"
_MOST_PAGES = 200
_NOT_AN_EDGE = "what answers there is not an edge of Gatestack: is the address (--url, GATESTACK_URL) right?"


class CommandFailed(Exception):
    """A command could not do what it was asked; the text says why and what to do. `answer` is what the edge
    said, None where it said nothing.
    """

    def __init__(self, text: str, code: int = 1, answer: Any = None) -> None:
        super().__init__(text)
        self.code = code
        self.answer = answer

    @classmethod
    def told(cls, head: str, problems: Sequence[str]) -> "CommandFailed":
        """Files are wrong: every problem, a line each."""
        return cls("\n  ".join((head, *problems)), 2)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Remote:
    """Where the edge is and who asks.

    Parameters
    ----------
    url
        The edge's address. Default: $GATESTACK_URL, else http://127.0.0.1:8080
    key_file
        A file that holds the key. Default: $GATESTACK_KEY itself, else .gatestack/operator.key
    json
        Print JSON.
    """

    url: str = ""
    key_file: str = ""
    json: bool = False

    def get(self, path: str, **query: str) -> Any:
        named = {name: value for name, value in query.items() if value}
        return self._call("GET", f"{path}?{urlencode(named)}" if named else path, None)

    def post(self, path: str, body: object, *, seconds: float = _PATIENCE, if_match: str = "") -> Any:
        """Waits up to `seconds` for the answer. `if_match` is the etag of what the caller has seen."""
        return self._call("POST", path, body, seconds, if_match)

    def put(self, path: str, body: object, *, seconds: float = _PATIENCE, if_match: str = "") -> Any:
        return self._call("PUT", path, body, seconds, if_match)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path, None)

    def registry(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """What the registry's read API says, of what this key may see."""
        asked = f"{path}?{urlencode(query)}" if query else path
        return self._call("GET", asked, None, base=_REGISTRY)

    def registry_pages(self, path: str, query: Mapping[str, str]) -> list[Any]:
        """A list of the registry to its end."""
        found: list[Any] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            page = self.registry(path, {**query, "limit": "100", **({"cursor": cursor} if cursor else {})})
            found += page[path.removeprefix("/")]
            cursor = page["metadata"].get("nextCursor", "")
            if not cursor:
                break
        return found

    def agents(self, query: Mapping[str, str]) -> Any:
        """The agents that this key may use."""
        named = {name: value for name, value in query.items() if value}
        return self._call("GET", f"/agents?{urlencode(named)}", None, base="")

    def address(self) -> str:
        """Raises CommandFailed."""
        found = self.url or os.environ.get("GATESTACK_URL", "") or "http://127.0.0.1:8080"
        if not found.startswith(("http://", "https://")):
            raise CommandFailed(f"{found!r} is no address: write it like http://127.0.0.1:8080", 2)
        return found.rstrip("/")

    def secret(self) -> str:
        """Raises CommandFailed."""
        found, source = os.environ.get("GATESTACK_KEY", ""), "GATESTACK_KEY"
        if self.key_file or not found:
            path = Path(self.key_file or KEY_FILE)
            found, source = _key_in(path), str(path)
        if not found.isascii() or not found.strip().isprintable() or not found.strip():
            raise CommandFailed(f"{source} holds no key: a key is one word like gsk_…", 2)
        return found.strip()

    def _call(
        self,
        method: str,
        path: str,
        body: object,
        seconds: float = _PATIENCE,
        if_match: str = "",
        base: str = _ADMIN,
    ) -> Any:
        return asyncio.run(self._send(method, base + path, body, seconds, if_match))

    async def _send(self, method: str, path: str, body: object, seconds: float, if_match: str) -> Any:
        client = HttpClient()
        headers = [("authorization", f"Bearer {self.secret()}"), ("content-type", "application/json")]
        if if_match:
            headers.append(("if-match", if_match))
        try:
            payload = b"" if body is None else msgspec.json.encode(body)
            async with await client.send(
                method,
                self.address() + path,
                headers=headers,
                body=payload,
                header_timeout=seconds,
            ) as reply:
                return _read(reply.status, await reply.read(_CAP))
        except UpstreamFault as error:
            raise CommandFailed(
                f"no answer from {self.address()}: {error.detail}. Is `gatestack up` running?"
            ) from error
        finally:
            await client.close()


def _key_in(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise CommandFailed(
            f"no key: {path} cannot be read ({why}). Set GATESTACK_KEY, or name a file with "
            "--key-file; `gatestack up` writes the first operator's key below its state folder, and where "
            "that is lost, `gatestack keys operator` makes another"
        ) from error


def _detail(answer: Any) -> str:
    """What an edge says of a refusal, in its own form or in that of agents' clients."""
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error")
    # An inner gateway asks for a credential that only an edge has.
    inner = isinstance(error, dict) and "txn-token" in str(error.get("message"))
    return str(
        answer.get("detail") or (error.get("message") if isinstance(error, dict) and not inner else "")
    )


def named(text: str) -> str:
    """An id or name as a part of a path. Raises CommandFailed."""
    if not text.strip() or text in (".", ".."):
        raise CommandFailed(f"{text!r} is no id and no name", 2)
    return quote(text, safe="")


def _read(status: int, body: bytes) -> Any:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise CommandFailed(f"{_NOT_AN_EDGE} (status {status})") from error
    if status >= 400:
        raise CommandFailed(f"{_detail(answer) or _NOT_AN_EDGE} (status {status})", answer=answer)
    return answer
