"""The model gateway as its tests run it: real, on a socket, in front of scripted providers."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from llm_gateway.app import SERVICE
from shared.clock import Clock
from shared.http_client import HttpClient, Reply
from shared.identity.principal import Caller
from tests.support.answer import Answer
from tests.support.providers import REAL_MODEL, ScriptedProvider
from tests.support.serve import Edge, Running, running, someone

PROVIDER_KEY = "sk-upstream-0123456789abcdef"
PATH = "/v1/chat/completions"
PRICE = {"in": 1_000_000, "out": 4_000_000, "cached": 500_000}
# What the scripted usage (20 in, 12 of them cached, 8 out) costs at that price.
COST = 8 + 6 + 32
MESSAGES = [{"role": "user", "content": "How are you?"}]


class Heard(Answer, frozen=True):
    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json["error"]
        return found


class Gateway(Struct, frozen=True):
    edge: Edge
    service: Running
    http: HttpClient

    @property
    def url(self) -> str:
        return self.service.url

    def identity(self, caller: Caller | None = None) -> dict[str, str]:
        """The header that the edge would send on for `caller`."""
        return {"txn-token": self.edge.token(caller or someone(), audience="llm_gateway")}

    async def send(
        self,
        body: bytes | Mapping[str, Any],
        *,
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
        method: str = "POST",
        path: str = PATH,
    ) -> Reply:
        """A request whose reply is not read yet; with the identity of `caller` unless `headers` are given."""
        given = self.identity(caller) if headers is None else headers
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.send(method, self.url + path, headers=list(given.items()), body=raw)

    async def hear(self, body: bytes | Mapping[str, Any] = b"", **more: Any) -> Heard:
        async with await self.send(body, **more) as reply:
            return await Heard.of(reply)

    async def ask(self, caller: Caller | None = None, **members: Any) -> Heard:
        """One well-formed call, with `members` over the usual ones."""
        return await self.hear(request(**members), caller=caller)

    async def get(self, path: str, **more: Any) -> Heard:
        return await self.hear(b"", method="GET", path=path, **more)


def request(**members: Any) -> dict[str, Any]:
    return {"model": "fast", "messages": MESSAGES} | members


def provider_section(provider: ScriptedProvider, **more: Any) -> dict[str, Any]:
    return {"base_url": provider.base_url, "key": "${KEY}", **more}


def model_section(*providers: str, **more: Any) -> dict[str, Any]:
    targets = [{"provider": name, "model": REAL_MODEL} for name in providers or ("main",)]
    return {"targets": targets, "price": PRICE, "aliases": ["gpt-4o-mini"], **more}


def rule(sub: str = "*", obj: str = "model:*", act: str = "*", **more: str) -> dict[str, str]:
    return {"sub": sub, "dom": "*", "obj": obj, "act": act, **more}


@contextlib.asynccontextmanager
async def gateway(
    directory: Path,
    redis: str,
    *providers: ScriptedProvider,
    policy: Any = None,
    chain: Any = None,
    alerts: Any = None,
    clock: Clock | None = None,
    **section: Any,
) -> AsyncIterator[Gateway]:
    """The gateway before `providers`, named main, second, third, all of which answer to the model `fast`."""
    names = ("main", "second", "third")[: len(providers)]
    known = {name: provider_section(provider) for name, provider in zip(names, providers, strict=True)}
    own = {"providers": known, "models": {"fast": model_section(*names)}} | section
    config = {
        "llm_gateway": own,
        "policy": policy or {"rules": [rule()]},
        **({"chain": chain} if chain else {}),
        **({"alerts": alerts} if alerts else {}),
    }
    edge, http = Edge(directory), HttpClient()
    async with running(
        SERVICE, config, directory, edge=edge, redis=redis, environ={"KEY": PROVIDER_KEY}, clock=clock
    ) as service:
        try:
            yield Gateway(edge, service, http)
        finally:
            await http.close()
