"""Batches: many requests in one file, done when the provider finds the time. What they may use is set aside
and booked when a batch is created; what is beyond that, once its owner looks at the finished batch.

Source: https://platform.openai.com/docs/api-reference/batch
"""

import asyncio
import hashlib
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw

from llm_gateway.authorize import unknown
from llm_gateway.bill import ESTIMATED
from llm_gateway.catalog import Catalog, Model, Target
from llm_gateway.config import Section
from llm_gateway.endpoints.admit import Admit
from llm_gateway.endpoints.counted import read_usage
from llm_gateway.endpoints.errand import Errand
from llm_gateway.endpoints.json_body import TEXT, read_members
from llm_gateway.endpoints.owned import Held, Lines, Owned, fresh
from llm_gateway.endpoints.pages import listed, page_of
from llm_gateway.endpoints.upstream import Upstream, address_of
from llm_gateway.files import JSON, known, number_in, read_object, text_in
from llm_gateway.prices import ceiling, cost
from llm_gateway.route import aim
from llm_gateway.router.section import MAIN
from shared.account import Flight
from shared.asgi import Exchange
from shared.dialects.openai import rate_headers
from shared.errors import BadRequest, MethodNotAllowed, UpstreamFault
from shared.identity.principal import Caller
from shared.ledger.entry import Usage
from shared.limits.plan import Estimate
from shared.policy import Grant

RESOURCE = "route:llm/batches"
PATH = "/v1/batches"
_MEMBERS = ("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")
_FINAL = frozenset(("failed", "completed", "expired", "cancelled"))
_RESULTS = ("output_file_id", "error_file_id")
_NULL = Raw(b"null")
_AT_ONCE = 8


class Batches:
    paths = (PATH, PATH + "/{id}", PATH + "/{id}/cancel")

    def __init__(
        self, section: Section, admit: Admit, catalog: Catalog, owned: Owned, upstream: Upstream
    ) -> None:
        self._body_bytes = section.max_body_bytes
        self._reply_bytes = section.max_reply_bytes
        self._admit = admit
        self._catalog = catalog
        self._owned = owned
        self._upstream = upstream

    def find(self, exchange: Exchange) -> Errand:
        place = PATH if "id" not in exchange.path_params else "one"
        if exchange.path.endswith("/cancel"):
            place = "cancel"
        if (place, exchange.method) == (PATH, "POST"):
            return Errand(resource=RESOURCE, action="invoke", run=self._create, reserves=True)
        if (place, exchange.method) == (PATH, "GET"):
            return Errand(resource=RESOURCE, action="list", run=self._list)
        if (place, exchange.method) == ("one", "GET"):
            return Errand(resource=RESOURCE, action="read", run=self._show)
        if (place, exchange.method) == ("cancel", "POST"):
            return Errand(resource=RESOURCE, action="cancel", run=self._cancel)
        raise MethodNotAllowed(f"{exchange.path} does not take {exchange.method}")

    async def _create(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        request = read_members(await exchange.body(self._body_bytes))
        for name in request.found:
            if name not in _MEMBERS:
                raise BadRequest(f"{name[:64]!r} cannot be set for a batch here", data={"param": name[:64]})
        file = await self._input(grant.caller, request.need("input_file_id", TEXT))
        lines = file.lines
        if lines is None:
            raise BadRequest("the file was not sent for the purpose batch", data={"param": "input_file_id"})
        if request.need("endpoint", TEXT) != lines.url:
            raise BadRequest(f"the requests in the file are for {lines.url}", data={"param": "endpoint"})
        flight.entry.provider = file.provider
        models = await self._models(flight, grant.caller, file, lines)
        flight.taint = tuple(sorted({label for model in models for label in model.labels}))
        estimate = Estimate(
            requests=1,
            tokens_in=lines.tokens_in,
            tokens_out=lines.tokens_out,
            micros=lines.micros,
            model_calls=lines.count,
        )
        model = models[0].name if len(models) == 1 else ""
        flight.lease = await self._admit.reserve(flight, grant, estimate, taint=flight.taint, model=model)
        exchange.stamps += rate_headers(flight.lease)
        # It runs and costs once its provider has it: its owner must be able to see it and to end it.
        flight.stay()
        made = await self._made(file, request.found)
        flight.entry.usage = Usage(tokens_in=lines.tokens_in, tokens_out=lines.tokens_out)
        flight.entry.cost_micros = lines.micros
        flight.entry.findings += (ESTIMATED,)
        held = Held(
            id=fresh("batch"),
            actors=grant.caller.actors,
            provider=file.provider,
            upstream=text_in(made, "id"),
            shown=_NULL,
            purpose=file.id,
            lines=lines,
        )
        held = await self._kept(grant.caller, held, made)
        flight.entry.task = held.id
        await exchange.reply(200, JSON, bytes(held.shown))

    async def _input(self, caller: Caller, name: str) -> Held:
        return await self._owned.get(caller, "file", name)

    async def _models(self, flight: Flight, caller: Caller, file: Held, lines: Lines) -> list[Model]:
        """The models of the file's requests, each of them still allowed. Raises NotFound, Killed."""
        permit = await self._admit.permit(flight, caller)
        found = []
        for name in lines.models:
            model = self._catalog.find(name)
            if model is None or not permit.decide(model).allowed:
                flight.entry.decision = "deny"
                raise unknown(name)
            targets = _targets(model, file.provider)
            if not targets:
                raise unknown(name)
            aim(targets[0], flight)
            found.append(model)
        if len(found) > 1:
            flight.entry.model = ""
        return found

    async def _made(self, file: Held, given: dict[str, Raw]) -> dict[str, Raw]:
        provider = known(self._catalog, file)
        body = msgspec.json.encode({**given, "input_file_id": file.upstream})
        address = address_of(provider, "batches", "/batches")
        reply = await self._upstream.accepted(
            provider, "POST", address, body=body, content_type=b"application/json"
        )
        return await read_object(reply, self._reply_bytes)

    async def _show(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        held = await self._own(exchange, flight, grant)
        held = await self._looked_at(flight, grant.caller, held)
        await exchange.reply(200, JSON, bytes(held.shown))

    async def _cancel(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        held = await self._own(exchange, flight, grant)
        provider = known(self._catalog, held)
        reply = await self._upstream.accepted(provider, "POST", self._address(held, "/cancel"))
        held = await self._kept(grant.caller, held, await read_object(reply, self._reply_bytes))
        await exchange.reply(200, JSON, bytes(held.shown))

    async def _list(self, exchange: Exchange, flight: Flight, grant: Grant) -> None:
        page = page_of(exchange.query, most=100, usual=20)
        found, more = await self._owned.page(
            grant.caller, "batch", after=page.after, limit=page.limit, oldest_first=page.oldest_first
        )
        gate = asyncio.Semaphore(_AT_ONCE)

        async def current(held: Held) -> Held:
            async with gate:
                try:
                    return await self._looked_at(flight, grant.caller, held)
                except UpstreamFault:
                    # One provider that is away does not hide the batches of the others: what was last seen.
                    return held

        found = list(await asyncio.gather(*map(current, found)))
        await exchange.reply(200, JSON, listed([held.shown for held in found], found, more))

    async def _own(self, exchange: Exchange, flight: Flight, grant: Grant) -> Held:
        held = await self._owned.get(grant.caller, "batch", exchange.path_params["id"])
        flight.entry.task, flight.entry.provider = held.id, held.provider
        flight.check()
        return held

    async def _looked_at(self, flight: Flight, caller: Caller, held: Held) -> Held:
        """The batch as it is now; one that is over does not change any more."""
        if _status(msgspec.json.decode(held.shown)) in _FINAL:
            return held
        provider = known(self._catalog, held)
        reply = await self._upstream.accepted(provider, "GET", self._address(held))
        found = await read_object(reply, self._reply_bytes)
        if (
            _status({name: msgspec.json.decode(found[name]) for name in ("status",) if name in found})
            in _FINAL
        ):
            await self._book(flight, caller, held, found)
        return await self._kept(caller, held, found)

    async def _book(self, flight: Flight, caller: Caller, held: Held, found: dict[str, Raw]) -> None:
        """What the provider counted beyond what was booked when the batch was created, once."""
        used, lines = read_usage(found.get("usage", _NULL)), held.lines
        if used is None or lines is None or not await self._owned.first(caller, "batch", held, "booked"):
            return
        prices = [
            target.price
            for name in lines.models
            if (model := self._catalog.find(name)) is not None
            for target in _targets(model, held.provider)
        ]
        usage, entry = flight.entry.usage, flight.entry
        usage.tokens_in += max(0, used.tokens_in - lines.tokens_in)
        usage.tokens_out += max(0, used.tokens_out - lines.tokens_out)
        entry.cost_micros += max(0, cost(ceiling(prices), used, "batch") - lines.micros)
        entry.findings += (f"batch:{used.tokens_in}+{used.tokens_out} tokens",)

    async def _kept(self, caller: Caller, held: Held, found: dict[str, Raw]) -> Held:
        """The batch as its owner sees it, with ids of ours, and its results as files of its owner."""
        shown: dict[str, Any] = {**found, "id": held.id, "input_file_id": held.purpose}
        for name in _RESULTS:
            upstream = msgspec.json.decode(found.get(name, _NULL))
            if isinstance(upstream, str) and upstream:
                shown[name] = await self._result(caller, held, upstream, found)
        held = msgspec.structs.replace(held, shown=Raw(msgspec.json.encode(shown)))
        await self._owned.put(caller, "batch", held)
        return held

    async def _result(self, caller: Caller, held: Held, upstream: str, found: dict[str, Raw]) -> str:
        """The id of a result: always the same one for the same batch, and none that could be guessed."""
        name = "file-" + hashlib.sha256(f"{held.id} {upstream}".encode()).hexdigest()[:26]
        created = number_in(found, "completed_at") or number_in(found, "created_at") or 0
        described = {
            "id": name,
            "object": "file",
            "bytes": 0,
            "created_at": created,
            "filename": f"{held.id}.jsonl",
            "purpose": "batch_output",
            "status": "processed",
        }
        result = Held(
            id=name,
            actors=held.actors,
            provider=held.provider,
            upstream=upstream,
            shown=Raw(msgspec.json.encode(described)),
            purpose="batch_output",
        )
        await self._owned.put(caller, "file", result)
        return name

    def _address(self, held: Held, more: str = "") -> str:
        provider = known(self._catalog, held)
        return address_of(provider, "batches", "/batches", more=f"/{quote(held.upstream, safe='')}{more}")


def _targets(model: Model, provider: str) -> list[Target]:
    """Where a batch at `provider` may have asked it: other groups than the main one are for single calls."""
    return [each for each in model.targets if each.group == MAIN and each.provider.name == provider]


def _status(shown: Any) -> str:
    status = shown.get("status", "") if isinstance(shown, dict) else ""
    return status if isinstance(status, str) else ""
