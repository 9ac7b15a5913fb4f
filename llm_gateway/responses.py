"""Responses that callers come back to by their id, owned by who got them: to everybody else there is none.

Where the provider speaks Responses it keeps them itself, and what is kept here is which provider that is.
Where it does not, the conversation is kept here, and said again in full when it goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from llm_gateway import members
from llm_gateway.ask import Ask
from llm_gateway.call import Call
from llm_gateway.catalog import Model, Target
from llm_gateway.chat.reply import Reply
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.formats.openai_responses import OpenAIResponses
from llm_gateway.formats.openai_responses.references import references, response_of
from llm_gateway.items_owned import OwnedItems
from llm_gateway.pin import Pin
from llm_gateway.responses_named import filled
from shared.errors import BadRequest, NotFound, Unavailable
from shared.identity.principal import Caller
from shared.ledger.entry import Entry
from shared.limits.keys import tenant_keys
from shared.redis_client import Redis, RedisError

Keep = Callable[[Reply], Awaitable[None]]
NOT_KEPT = "response:not_kept"
_BEFORE = "previous_response_id"
_SECONDS, _BYTES = 30 * 86_400, 1_048_576
_ID_MAX = 128
_GONE = (Unavailable, RedisError)


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One response and who caused it. `model` is its name here. Either `target` has it, as `upstream_id`, or
    `input` (items as a JSON list, which name `files`) and `response` are all of it; none of both where it was
    too large to keep.
    """

    actors: tuple[str, ...]
    model: str
    target: str = ""
    upstream_id: str = ""
    input: bytes = b""
    response: bytes = b""
    files: tuple[str, ...] = ()

    def admits(self, caller: Caller) -> bool:
        """Who caused it, and whoever stands earlier on the same path."""
        return self.actors[: len(caller.actors)] == caller.actors


class Resumed(Struct, frozen=True):
    """`pin` says who can go on with it; None where anybody can."""

    ask: Ask
    pin: Pin | None = None


class _Output(Struct, frozen=True):
    output: Raw


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Record).decode
_output = msgspec.json.Decoder(_Output).decode
_before = msgspec.json.Decoder(str | None).decode
_flag = msgspec.json.Decoder(bool | None).decode


class Forgetful:
    """For formats whose conversations are the caller's own affair."""

    def __init__(self, files: OwnedFiles) -> None:
        self._files = files

    async def resume(self, caller: Caller, ask: Ask) -> Resumed:
        """A request, and who has what it names. Raises BadRequest, NotFound, Unavailable."""
        return Resumed(ask, await self._files.pin(caller, ask.files)) if ask.files else Resumed(ask)

    def keepers(self, caller: Caller, call: Call, model: Model | None, entry: Entry) -> tuple[Keep, ...]:
        return ()


class Responses(Forgetful):
    def __init__(
        self,
        redis: Redis,
        spoken: OpenAIResponses,
        files: OwnedFiles,
        *,
        ttl_seconds: int = _SECONDS,
        max_bytes: int = _BYTES,
    ) -> None:
        super().__init__(files)
        self._items = OwnedItems(redis, ttl_seconds)
        self._redis = redis
        self._spoken = spoken
        self._ttl = ttl_seconds
        self._cap = max_bytes

    async def resume(self, caller: Caller, ask: Ask) -> Resumed:
        """A request with what came before it, and with those of the items it only names that are kept here.
        Raises NotFound, BadRequest, Unavailable.
        """
        ask, provider = await self._named(caller, ask)
        target, before = "", _read(_before, ask, _BEFORE)
        if before is not None:
            ask, target = await self._continued(caller, ask, before)
        if not (target or provider or ask.files):
            return Resumed(ask)
        pin = await self._files.pin(caller, ask.files)
        if provider and pin.provider not in ("", provider):
            raise BadRequest(
                "input: names files and items that different providers keep; send them instead",
                data={"param": "input"},
            )
        provider = provider or pin.provider
        return Resumed(ask, msgspec.structs.replace(pin, target=target, provider=provider))

    async def _named(self, caller: Caller, ask: Ask) -> tuple[Ask, str]:
        """With the items of ours that it names, and who has the others."""
        input = given(ask)
        named = references(input) if input.startswith(b"[") else []
        if not named:
            return ask, ""
        ours = [each for each in named if response_of(each[1])]
        theirs = [each for each in named if not response_of(each[1])]
        provider = await self._items.provider(caller, theirs)
        if ours:
            whole = await filled(input, ours, partial(self._known, caller))
            ask = self._changed(ask, "input", Raw(whole))
        return ask, provider

    async def _continued(self, caller: Caller, ask: Ask, before: str) -> tuple[Ask, str]:
        """With what came before it, or who has that."""
        record = await self.find(caller, before)
        if record.target:
            known = before == record.upstream_id
            return ask if known else self._changed(ask, _BEFORE, record.upstream_id), record.target
        if not record.response:
            raise BadRequest(
                f"the conversation up to {before} is larger than the {self._cap} bytes that are kept of one: "
                "send it as `input` instead",
                data={"param": _BEFORE},
            )
        history = joined(record.input, bytes(_output(record.response).output))
        ask = self._changed(ask, "input", Raw(joined(history, items(given(ask)))))
        files = tuple(dict.fromkeys((*record.files, *ask.files)))
        return msgspec.structs.replace(ask, files=files), ""

    def keepers(self, caller: Caller, call: Call, model: Model | None, entry: Entry) -> tuple[Keep, ...]:
        """What to do with the reply once it is whole. Without a `model` no provider has been asked. What a
        guard has taken out of a request must not lie here instead: such a call is not kept.
        """
        ask, inspection = call.ask, call.inspection
        if _read(_flag, ask, "store") is False:
            return ()
        whole = inspection.chat is None
        if not whole:
            entry.findings += (NOT_KEPT,)
        # What a provider that speaks Responses says is shown with its ids, unless a guard looks at it.
        passed = model is not None and not inspection.watches_reply

        async def keep(reply: Reply) -> None:
            target = answering(model, entry) if model is not None else None
            if target is not None and self._keeps(target):
                self._items.keep(caller, target.provider.name, reply.items)
            if whole:
                await self.keep(caller, ask, reply, target, entry, passed=passed)

        return (keep,)

    async def keep(
        self, caller: Caller, ask: Ask, reply: Reply, target: Target | None, entry: Entry, *, passed: bool
    ) -> None:
        """Keeps a reply; what cannot be kept is noted and answered all the same."""
        if target is not None and self._keeps(target):
            name = reply.id if passed else ask.id
            # Under names of ours its items can only be found here.
            response = b"" if passed else self._spoken.reply(reply, ask)
            record = Record(
                actors=caller.actors,
                model=ask.model,
                target=target.name,
                upstream_id=reply.id,
                response=response if len(response) <= self._cap else b"",
            )
        else:
            name, record = ask.id, self._whole(caller, ask, reply)
        try:
            await self._redis.execute("SET", key_of(caller, name), _pack(record), "EX", self._ttl)
        except _GONE:
            entry.findings += (NOT_KEPT,)

    def _keeps(self, target: Target) -> bool:
        """Whether the provider keeps what it has answered."""
        return target.wire_for(self._spoken.name) == self._spoken.name

    async def find(self, caller: Caller, id: str) -> Record:
        """Raises NotFound: there is none, or it is not this caller's. Raises Unavailable."""
        data = await self._redis.execute("GET", key_of(caller, id)) if len(id) <= _ID_MAX else None
        record = _unpack(data) if data is not None else None
        if record is None or not record.admits(caller):
            raise missing(id)
        return record

    async def _known(self, caller: Caller, ids: Sequence[str]) -> list[bytes]:
        """The responses of these names; empty where one is not kept here, or is not this caller's."""
        found = await self._redis.execute("MGET", *(key_of(caller, id) for id in ids))
        records = (_unpack(data) if data is not None else None for data in found)
        return [
            record.response if record is not None and record.admits(caller) else b"" for record in records
        ]

    async def forget(self, caller: Caller, id: str) -> None:
        await self._redis.execute("DEL", key_of(caller, id))

    def _whole(self, caller: Caller, ask: Ask, reply: Reply) -> Record:
        input, response = items(given(ask)), self._spoken.reply(reply, ask)
        if len(input) + len(response) > self._cap:
            return Record(actors=caller.actors, model=ask.model)
        return Record(actors=caller.actors, model=ask.model, input=input, response=response, files=ask.files)

    def _changed(self, ask: Ask, name: str, value: str | Raw) -> Ask:
        """`ask` with another value for a member, counted anew, and still under its own id."""
        body = members.spliced(ask.body, {ask.spans[name]: msgspec.json.encode(value)})
        return msgspec.structs.replace(self._spoken.read(body, {}), id=ask.id, files=ask.files)


def answering(model: Model, entry: Entry) -> Target | None:
    """Who has answered, by what the entry says of it."""
    known = ((target.provider.name, target.model, target) for target in model.targets)
    return next(
        (target for name, called, target in known if (name, called) == (entry.provider, entry.model)), None
    )


def missing(id: str) -> NotFound:
    return NotFound(
        f"there is no response {id[:_ID_MAX]!r}: it was not stored, has expired, or is not yours",
        data={"param": _BEFORE, "code": "previous_response_not_found"},
    )


def given(ask: Ask) -> bytes:
    return ask.body[slice(*ask.spans["input"])]


def items(input: bytes) -> bytes:
    """An input as a list of items, whatever form it has."""
    if input.startswith(b"["):
        return input
    return b'[{"role":"user","content":' + input + b"}]"


def joined(one: bytes, other: bytes) -> bytes:
    """Two JSON lists as one."""
    left, right = one.strip()[1:-1].strip(), other.strip()[1:-1].strip()
    return b"[" + left + (b"," if left and right else b"") + right + b"]"


def _read(decode: Callable[[bytes], Any], ask: Ask, name: str) -> Any:
    place = ask.spans.get(name)
    if place is None:
        return None
    try:
        return decode(ask.body[slice(*place)])
    except ValueError as error:
        raise BadRequest(f"{name}: has the wrong type", cause=error, data={"param": name}) from error


def key_of(caller: Caller, id: str) -> str:
    hashed = blake2b(id.encode(errors="replace"), digest_size=20).hexdigest()
    return f"{tenant_keys(caller.principal.tenant).prefix}response:{hashed}"
