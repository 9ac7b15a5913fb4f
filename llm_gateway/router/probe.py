"""Asking deployments how they are while nobody else does: for those who would rather pay for that than let a
caller's call find out. One process asks, the others read in Redis what it heard.
"""

import asyncio
from collections.abc import Sequence

from llm_gateway.catalog import Target
from llm_gateway.chat.parts import Text
from llm_gateway.chat.request import Chat, Message
from llm_gateway.formats.wires import WIRES
from llm_gateway.quirks import fitted
from llm_gateway.router.ranking import Draw
from llm_gateway.router.section import ProbeSection
from llm_gateway.router.state import Deployment, State
from shared.errors import BadRequest, Unavailable, UpstreamFault
from shared.http_client import HttpClient
from shared.redis_client import Redis, RedisError

_CHAT_PATH = "/chat/completions"
_WELL, _ILL = b"well", b"ill"
# How much sooner or later than its interval a round may begin.
_JITTER = 0.2
_READ_BYTES = 1_048_576


class Probes:
    def __init__(
        self,
        section: ProbeSection,
        targets: Sequence[Target],
        state: State,
        http: HttpClient,
        redis: Redis,
        draw: Draw,
    ) -> None:
        self._section = section
        self._targets = {target.name: target for target in targets}
        self._state = state
        self._http = http
        self._redis = redis
        self._draw = draw

    async def run(self) -> None:
        """Until cancelled: rounds that are never twice at the same distance."""
        while True:
            await asyncio.sleep(self._section.interval_seconds * (1 + _JITTER * (2 * self._draw() - 1)))
            await self.round()

    async def round(self) -> None:
        """Asks every target once, or reads what another process has heard."""
        learning = (self._learn(target) for target in self._targets.values())
        # Whatever goes wrong with one question: the process goes on, and so do the others.
        await asyncio.gather(*learning, return_exceptions=True)

    async def _learn(self, target: Target) -> None:
        well = await self._heard(target)
        if well is None:
            return
        _tell(self._state.of(target), well)

    async def _heard(self, target: Target) -> bool | None:
        """None where another process is asking and nothing is known yet."""
        result = f"gs:probe:{target.name}"
        milliseconds = int(self._section.interval_seconds * 1000)
        try:
            mine = await self._redis.execute(
                "SET", f"{result}:asking", "1", "NX", "PX", milliseconds * 3 // 4
            )
            if not mine:
                found = await self._redis.execute("GET", result)
                return found == _WELL if found is not None else None
            well = await self._ask(target)
            await self._redis.execute("SET", result, _WELL if well else _ILL, "PX", milliseconds * 3)
        except (Unavailable, RedisError):
            return await self._ask(target)
        return well

    async def _ask(self, target: Target) -> bool:
        """Whether it answers. One that refuses the question is well."""
        provider, section = target.provider, self._section
        try:
            method, address, body = self._question(target)
            async with asyncio.timeout(section.timeout_seconds):
                await provider.prepare(self._http)
                reply = await self._http.send(
                    method,
                    address,
                    headers=provider.headers([], address=address, body=body),
                    body=body,
                    connect_timeout=provider.section.connect_timeout_seconds,
                    header_timeout=section.timeout_seconds,
                )
                async with reply:
                    said = await reply.read(_READ_BYTES)
        except (UpstreamFault, TimeoutError):
            return False
        except BadRequest:
            return True
        return 200 <= reply.status < 300 or not provider.refusal(reply, said).retryable

    def _question(self, target: Target) -> tuple[str, str, bytes]:
        provider, wire = target.provider, target.provider.wires[0]
        address = provider.address(wire, target.model, stream=False)
        if self._section.path and address.endswith(_CHAT_PATH):
            return "GET", address.removesuffix(_CHAT_PATH) + self._section.path, b""
        hello = Message(role="user", parts=(Text(text="Hi"),))
        chat = Chat(origin=wire, model=target.model, messages=(hello,), max_tokens=1)
        asked = fitted(provider.section.quirks, wire, WIRES[wire].request(chat, target.model))
        return "POST", address, asked.body


def _tell(deployment: Deployment, well: bool) -> None:
    """What was heard is the probe of a circuit that is open. Of a closed one only bad news count: that it
    lists its models does not say that it answers calls.
    """
    circuit = deployment.circuit
    closed = circuit.state == "closed"
    if not circuit.admits():
        return
    if not well:
        circuit.failed()
    elif closed:
        circuit.abandoned()
    else:
        circuit.succeeded()
