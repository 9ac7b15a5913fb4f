"""The file of a batch, line by line while it is uploaded: every line's model, path and files are allowed to
the caller and lead to one provider, or the file does not get there.

Source: https://platform.openai.com/docs/guides/batch
"""

from typing import Annotated, NoReturn

import msgspec
from msgspec import Meta

from llm_gateway.ask import Ask
from llm_gateway.authorize import unknown
from llm_gateway.catalog import Catalog, Model, Target
from llm_gateway.endpoints.admit import Permit
from llm_gateway.endpoints.endpoint import speaks_openai
from llm_gateway.endpoints.json_body import COUNT, NAME, TEXT, Members, read_members, respelled
from llm_gateway.endpoints.owned import Lines
from llm_gateway.files_named import renamed
from llm_gateway.files_owned import OwnedFiles
from llm_gateway.formats.openai_responses.refused import refuse, refuse_names
from llm_gateway.guards.selected import ChatGuards
from llm_gateway.members import spliced
from llm_gateway.pin import Pin
from llm_gateway.prices import cost
from llm_gateway.providers import Provider
from llm_gateway.reach import Reach
from llm_gateway.route import aim, route
from shared.account import Flight
from shared.errors import BadRequest, Refusal
from shared.ledger.entry import Usage

# Where each says how long its answer may be; () where it has no tokens of its own.
_CHAT = ("max_completion_tokens", "max_tokens")
URLS: dict[str, tuple[str, ...]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/responses": ("max_output_tokens",),
    "/v1/completions": ("max_tokens",),
    "/v1/embeddings": (),
    "/v1/moderations": (),
    "/v1/images/generations": (),
    "/v1/images/edits": (),
}
_MEMBERS = frozenset(("custom_id", "method", "url", "body"))
# They name what the provider keeps for our account, which may be another caller's.
_FOREIGN = ("previous_response_id", "conversation", "prompt_cache_id")
_BYTES_PER_TOKEN = 4
_LINES_MAX = 100_000
_TOKENS = msgspec.json.Decoder(Annotated[int, Meta(ge=0, le=2**31 - 1)] | None)


class BatchLines:
    """`provider` is where all of it goes, known after the first line."""

    def __init__(
        self,
        catalog: Catalog,
        permit: Permit,
        flight: Flight,
        *,
        line_bytes: int,
        reach: Reach,
        guards: ChatGuards,
        files: OwnedFiles,
    ) -> None:
        self.provider: Provider | None = None
        self._catalog = catalog
        self._permit = permit
        self._flight = flight
        self._cap = line_bytes
        self._reach = reach
        self._guards = guards
        self._files = files
        self._rest = b""
        self._number = 0
        self._url = ""
        self._targets: dict[str, tuple[Model, Target]] = {}
        self._usage = Usage()
        self._micros = 0
        self._count = 0

    async def feed(self, chunk: bytes) -> bytes:
        """The lines that `chunk` completes, as the provider gets them. Raises BadRequest naming the line, and
        Unavailable.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > self._cap:
            self._refuse(f"is larger than {self._cap} bytes", self._number + 1)
        return b"".join([await self._line(line) for line in lines])

    async def end(self) -> bytes:
        out = await self._line(self._rest)
        self._rest = b""
        if not self._count:
            raise BadRequest("the file holds no request: a batch has one JSON object a line")
        return out

    def told(self) -> Lines:
        return Lines(
            url=self._url,
            models=tuple(sorted({model.name for model, _ in self._targets.values()})),
            count=self._count,
            tokens_in=self._usage.tokens_in,
            tokens_out=self._usage.tokens_out,
            micros=self._micros,
        )

    async def _line(self, line: bytes) -> bytes:
        self._number += 1
        if not line.strip():
            return b""
        if len(line) > self._cap or self._count >= _LINES_MAX:
            self._refuse(f"is too much: at most {self._cap} bytes a line and {_LINES_MAX} requests")
        self._count += 1
        try:
            return await self._request(line.strip()) + b"\n"
        except Refusal as error:
            data = error.data if isinstance(error.data, dict) else {}
            raise BadRequest(f"line {self._number}: {error.detail}", cause=error, data=data) from error

    async def _request(self, line: bytes) -> bytes:
        outer = read_members(line)
        for name in outer.found:
            if name not in _MEMBERS:
                raise BadRequest(f"{name[:64]!r} is no member of a batch's request")
        if outer.need("method", TEXT) != "POST":
            raise BadRequest("method must be POST")
        self._same_url(outer.need("url", TEXT))
        if "body" not in outer.found:
            raise BadRequest("you must provide a body")
        request = read_members(bytes(outer.found["body"]))
        for name in _FOREIGN:
            if bytes(request.found.get(name, b"null")) != b"null":
                raise BadRequest(f"{name} cannot be used in a batch: whose it is cannot be told there")
        pin = await self._files.pin(self._permit.caller, self._reaches(request))
        model, target = self._target(request.need("model", NAME), pin)
        self._estimate(request, model, target)
        body = respelled(request.body, request.spans, target.model)
        return spliced(line, {outer.spans["body"]: renamed(body, pin.files) if pin.files else body})

    def _reaches(self, request: Members) -> tuple[str, ...]:
        """The files that a line names, which may ask for no more than a call of its own."""
        ask = Ask(model="", stream=False, body=request.body, spans=request.spans, tokens_in=0)
        files = self._reach.files(ask)
        if self._url == "/v1/responses":
            refuse(request.found, remote_tools=self._reach.remote_tools)
            refuse_names(request.found)
        return files

    def _same_url(self, url: str) -> None:
        if url not in URLS:
            raise BadRequest(f"url {url[:100]!r} cannot be used in a batch (known: {', '.join(URLS)})")
        if self._url and url != self._url:
            raise BadRequest(f"url is {url} and that of the lines before is {self._url}: a batch has one")
        self._url = url

    def _target(self, name: str, pin: Pin) -> tuple[Model, Target]:
        known = self._targets.get(name)
        if known is None:
            known = self._targets[name] = self._allowed(name, pin)
        pin.among((known[1],))
        return known

    def _allowed(self, name: str, pin: Pin) -> tuple[Model, Target]:
        model = self._catalog.find(name)
        if model is None:
            raise unknown(name)
        decision = self._permit.decide(model)
        if not decision.allowed:
            self._flight.entry.decision = "deny"
            self._flight.entry.rule = decision.rule
            self._flight.entry.findings += (f"refused:{decision.hop}",)
            raise unknown(name)
        self._refuse_unseen(model)
        target = self._chosen(model, pin)
        aim(target, self._flight)
        return model, target

    def _refuse_unseen(self, model: Model) -> None:
        """Nobody looks into a batch, and a guard that must be passed would not be."""
        active = self._guards.for_caller(self._permit.caller, model, self._flight.entry.tags)
        must = [each.section.name for each in active if each.section.mode == "enforce"]
        if must:
            raise BadRequest(
                f"the model {model.name!r} cannot be used in a batch: guards ({', '.join(must)}) look at "
                "every call of it, and they cannot look into a batch; send the calls one by one"
            )

    def _chosen(self, model: Model, pin: Pin) -> Target:
        """The model where the batch goes: wherever the first line's files are, or its model is first."""
        for target in pin.among(route(model, self._flight)):
            if self.provider is None and speaks_openai(target.provider):
                self.provider = target.provider
            if target.provider is self.provider:
                return target
        if self.provider is None:
            raise BadRequest(
                f"the model {model.name!r} cannot be used in a batch: nobody behind it takes one"
            )
        raise BadRequest(
            f"the model {model.name!r} is not where the lines before go: a batch goes to one provider"
        )

    def _estimate(self, request: Members, model: Model, target: Target) -> None:
        lengths = URLS[self._url]
        allowed = max((request.get(name, _TOKENS) or 0 for name in lengths), default=0)
        made = (allowed or model.default_output_tokens) * (request.get("n", COUNT) or 1) if lengths else 0
        units = (request.get("n", COUNT) or 1) if self._url.startswith("/v1/images/") else 0
        used = Usage(tokens_in=len(request.body) // _BYTES_PER_TOKEN, tokens_out=made, units=units)
        self._usage.tokens_in += used.tokens_in
        self._usage.tokens_out += used.tokens_out
        self._micros += cost(target.price, used, "batch")

    def _refuse(self, why: str, number: int = 0) -> NoReturn:
        raise BadRequest(f"line {number or self._number} {why}")
