"""Files of callers, kept by a provider: sent on while they arrive, and owned by whoever sent them.

Source: https://platform.openai.com/docs/api-reference/files
"""

from typing import Any, Protocol
from urllib.parse import quote

import msgspec
from msgspec import Raw

from llm_gateway.catalog import Catalog
from llm_gateway.config import Section
from llm_gateway.endpoints.admit import Admit
from llm_gateway.endpoints.batch_lines import BatchLines
from llm_gateway.endpoints.endpoint import speaks_openai
from llm_gateway.endpoints.errand import Errand
from llm_gateway.endpoints.owned import Held, Lines, Owned, fresh
from llm_gateway.endpoints.pages import listed, page_of
from llm_gateway.endpoints.relay import CutOnceStarted, length_of, stream_bytes
from llm_gateway.endpoints.upload import Upload
from llm_gateway.endpoints.upstream import Upstream, address_of
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.providers import Provider
from llm_gateway.reach import Reach
from shared.account import Flight
from shared.asgi import Exchange
from shared.errors import BadRequest, MethodNotAllowed, NotFound, UpstreamBroken, UpstreamFault
from shared.http_client import Reply
from shared.policy import Grant

RESOURCE = "route:llm/files"
PATH = "/v1/files"
JSON = [(b"content-type", b"application/json")]
_BATCH = "batch"
# In seconds since 1970; nobody keeps anything longer, and Redis could not.
_LATEST = 2**36
_SHOWN = frozenset((b"content-disposition", b"x-request-id"))
_object = msgspec.json.Decoder(dict[str, Raw])


class Files:
    paths = (PATH, PATH + "/{id}", PATH + "/{id}/content")

    def __init__(
        self,
        section: Section,
        admit: Admit,
        catalog: Catalog,
        owned: Owned,
        upstream: Upstream,
        guards: ChatGuards,
    ) -> None:
        self._guards = guards
        self._settings = section.endpoints
        self._line_bytes = section.max_body_bytes
        self._reach = Reach(remote_tools=section.remote_tools, account_ids=section.account_ids)
        self._reply_bytes = section.max_reply_bytes
        self._admit = admit
        self._catalog = catalog
        self._owned = owned
        self._named = OwnedFiles(owned, account_ids=section.account_ids)
        self._upstream = upstream

    def find(self, exchange: Exchange) -> Errand:
        doing = {
            (PATH, "POST"): ("invoke", self._upload),
            (PATH, "GET"): ("list", self._list),
            ("one", "GET"): ("read", self._show),
            ("one", "DELETE"): ("manage", self._delete),
            ("content", "GET"): ("read", self._content),
        }
        place = PATH if "id" not in exchange.path_params else "one"
        if exchange.path.endswith("/content"):
            place = "content"
        found = doing.get((place, exchange.method))
        if found is None:
            raise MethodNotAllowed(f"{exchange.path} does not take {exchange.method}")
        return Errand(resource=RESOURCE, action=found[0], run=found[1])

    async def _upload(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        upload = Upload(exchange, self._settings.max_file_bytes)
        await upload.begin()
        provider, lines = None, None
        if upload.purpose == _BATCH:
            permit = await self._admit.permit(flight, grant.caller)
            lines = BatchLines(
                self._catalog,
                permit,
                flight,
                line_bytes=self._line_bytes,
                reach=self._reach,
                guards=self._guards,
                files=self._named,
            )
            await upload.check(lines)
            provider = lines.provider
        provider = provider or self._keeper()
        flight.entry.provider = provider.name
        flight.check()
        # Its provider keeps what it has got: its owner must be able to see it and to delete it.
        flight.stay()
        stored = await self._stored(provider, upload)
        held = await self._hold(grant, provider, stored, upload.purpose, lines.told() if lines else None)
        flight.entry.task = held.id
        await exchange.reply(200, JSON, bytes(held.shown))

    async def _stored(self, provider: Provider, upload: Upload) -> dict[str, Raw]:
        """The provider's description of what it has stored."""
        address = address_of(provider, "files", "/files")
        try:
            reply = await self._upstream.accepted(
                provider, "POST", address, body=upload.body(), content_type=upload.content_type
            )
        except UpstreamFault:
            if upload.failure is not None:
                raise upload.failure from None
            raise
        return await read_object(reply, self._reply_bytes)

    async def _hold(
        self, grant: Grant, provider: Provider, stored: dict[str, Raw], purpose: str, lines: Lines | None
    ) -> Held:
        name = fresh("file")
        held = Held(
            id=name,
            actors=grant.caller.actors,
            provider=provider.name,
            upstream=text_in(stored, "id"),
            shown=Raw(msgspec.json.encode({**stored, "id": name})),
            purpose=purpose,
            lines=lines,
        )
        await self._owned.put(grant.caller, "file", held, expires_at=number_in(stored, "expires_at"))
        return held

    async def _list(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        page = page_of(exchange.query, most=10_000)
        found, more = await self._owned.page(
            grant.caller,
            "file",
            after=page.after,
            limit=page.limit,
            oldest_first=page.oldest_first,
            purpose=page.purpose,
        )
        await exchange.reply(200, JSON, listed([held.shown for held in found], found, more))

    async def _show(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        held = await self._own(exchange, flight, grant)
        await exchange.reply(200, JSON, bytes(held.shown))

    async def _content(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        held = await self._own(exchange, flight, grant)
        provider = self._provider(held)
        reply = await self._upstream.accepted(provider, "GET", _address(provider, held, "/content"))
        async with reply:
            length = length_of(reply)
            headers = [header for header in reply.headers if header[0] in _SHOWN]
            kind = reply.header("content-type") or "application/octet-stream"
            headers.append((b"content-type", kind.encode("latin-1")))
            if length is not None:
                headers.append((b"content-length", str(length).encode()))
            flight.dialect = CutOnceStarted(flight.dialect)
            await exchange.start(200, headers)
            await stream_bytes(exchange, reply.chunks(), length, lambda: None)

    async def _delete(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        held = await self._own(exchange, flight, grant)
        provider = self._provider(held)
        reply = await self._upstream.send(provider, "DELETE", _address(provider, held))
        async with reply:
            # One that the provider no longer has is as good as deleted.
            if reply.status != 404 and not 200 <= reply.status < 300:
                raise provider.refusal(reply, await reply.read(self._reply_bytes))
        await self._owned.drop(grant.caller, "file", held)
        body = {"id": held.id, "object": "file", "deleted": True}
        await exchange.reply(200, JSON, msgspec.json.encode(body))

    async def _own(self, exchange: Exchange, flight: Flight, grant: Grant) -> Held:
        held = await self._owned.get(grant.caller, "file", exchange.path_params["id"])
        flight.entry.task, flight.entry.provider = held.id, held.provider
        flight.check()
        return held

    def _provider(self, held: Held) -> Provider:
        return known(self._catalog, held)

    def _keeper(self) -> Provider:
        """Who keeps files that are not for a batch."""
        named, providers = self._settings.files_provider, self._catalog.providers
        if not named and len(providers) == 1:
            named = next(iter(providers))
        if not named or not speaks_openai(providers[named]):
            raise BadRequest(
                "nobody keeps files of this purpose here: an operator names a provider as files_provider",
                data={"param": "purpose"},
            )
        return providers[named]


class Known(Protocol):
    @property
    def providers(self) -> dict[str, Provider]: ...


def known(catalog: Known, held: Held) -> Provider:
    """Raises NotFound where the provider is no longer configured."""
    provider = catalog.providers.get(held.provider)
    if provider is None:
        raise NotFound(f"whoever kept {held.id} is no longer configured here")
    return provider


async def read_object(reply: Reply, cap: int) -> dict[str, Raw]:
    """Raises UpstreamBroken where the provider's answer is no JSON object."""
    async with reply:
        body = await reply.read(cap)
    try:
        # What nobody looks into is not checked by the decoder.
        msgspec.json.decode(body)
        return _object.decode(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamBroken("the provider's answer is no object", cause=error) from error


def text_in(found: dict[str, Raw], name: str) -> str:
    value: Any = msgspec.json.decode(found.get(name, Raw(b"null")))
    if not isinstance(value, str) or not value:
        raise UpstreamBroken(f"the provider's answer has no {name}")
    return value


def number_in(found: dict[str, Raw], name: str) -> int | None:
    value: Any = msgspec.json.decode(found.get(name, Raw(b"null")))
    return value if isinstance(value, int) and 0 < value < _LATEST else None


def _address(provider: Provider, held: Held, more: str = "") -> str:
    return address_of(provider, "files", "/files", more=f"/{quote(held.upstream, safe='')}{more}")
