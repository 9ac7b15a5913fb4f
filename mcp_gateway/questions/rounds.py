"""A call of a stateless client: what its server asks is the answer to the request, and the call goes on when
the client comes again with what was asked.
"""

import msgspec
from msgspec import Raw, Struct

from mcp_gateway import capabilities
from mcp_gateway.ask import Ask
from mcp_gateway.client import Client
from mcp_gateway.config import ServerRule
from mcp_gateway.conversation import Asked, Conversation, Talk
from mcp_gateway.questions.parked import Parked
from mcp_gateway.questions.states import States, answers
from mcp_gateway.questions.wording import STATE, URL_REQUIRED, Question, input_required, links, wanted
from mcp_gateway.upstreams.upstream import Aside, Call, Upstream
from shared.clock import Clock
from shared.dialects.mcp import MISSING_CAPABILITY
from shared.errors import BadRequest, UpstreamBroken
from shared.jsonrpc import Envelope


class _Error(Struct):
    code: int = 0
    data: Raw = Raw()


class Rounds:
    def __init__(self, states: States, parked: Parked, clock: Clock) -> None:
        self._states = states
        self._parked = parked
        self._clock = clock

    async def __call__(self, upstream: Upstream, call: Call, rule: ServerRule, client: Client) -> Envelope:
        """The server's answer, or what it asks. Raises BadRequest, UpstreamFault."""
        ask = client.ask
        held = await self._states.find(ask, client.caller, upstream.name)
        talk: Talk | Asked
        if held is not None and held.address:
            talk = await self._parked.take(held.address, answers(ask))
        else:
            params = {name: raw for name, raw in call.params.items() if name != STATE}
            if held is not None and held.state:
                params[STATE] = Raw(held.state)
            call = msgspec.structs.replace(call, params=params)
            talk = Conversation(upstream, call, rule, self._clock)
        said = talk if isinstance(talk, Asked) else await self._relayed(talk, client)
        if isinstance(said, Asked):
            return await self._asked(said, client, upstream.name)
        return await self._answered(said, client, upstream.name)

    async def _relayed(self, talk: Talk, client: Client) -> Envelope | Asked:
        """The last word of the call for now; one that waits for its client is left alone."""
        parked = False
        try:
            while True:
                said = await talk.next()
                if isinstance(said, Asked):
                    return await _put(said, client)
                message = said.message if isinstance(said, Aside) else said
                if isinstance(said, Aside) and message.has_id:
                    asked = await self._park(talk, said, client)
                    if asked is not None:
                        parked = True
                        return asked
                elif message.method:
                    await client.tell(message)
                else:
                    return message
        finally:
            if not parked:
                await talk.close()

    async def _park(self, talk: Talk, aside: Aside, client: Client) -> Asked | None:
        """None where the client cannot be asked that, and the server has been told so."""
        seen = await client.asked(aside.message)
        if isinstance(seen, bytes):
            aside.respond(seen)
            return None
        assert isinstance(talk, Conversation)
        return await self._parked.park(talk, Aside(seen, aside.respond), client.flight.entry)

    async def _asked(self, asked: Asked, client: Client, server: str) -> Envelope:
        questions = {key: Question(one.method, one.params) for key, one in asked.questions.items()}
        state = await self._states.keep(client.ask, client.caller, server, address=asked.address)
        return _result(questions, state, client)

    async def _answered(self, answer: Envelope, client: Client, server: str) -> Envelope:
        """An answer in which the server asks something comes with a state of ours instead of its own."""
        ask, caller = client.ask, client.caller
        if bytes(answer.error):
            error = msgspec.json.decode(answer.error, type=_Error)
            found = links(error.data) if error.code == URL_REQUIRED else {}
            if not found:
                return answer
            _check_links(ask)
            return _result(found, await self._states.keep(ask, caller, server), client)
        asked = wanted(bytes(answer.result), server)
        if asked is None:
            return answer
        for question in asked.inputRequests.values():
            client.note(question.method)
        if not bytes(asked.requestState):
            return answer
        state = await self._states.keep(ask, caller, server, state=bytes(asked.requestState))
        members = msgspec.json.decode(answer.result, type=dict[str, Raw])
        return Envelope(result=Raw(msgspec.json.encode(members | {STATE: Raw(msgspec.json.encode(state))})))


async def _put(asked: Asked, client: Client) -> Asked:
    """What a call asks that waits elsewhere, where nobody knows what this client can be asked. Raises
    UpstreamBroken where it cannot be asked that.
    """
    seen: dict[str, Envelope] = {}
    for key, request in asked.questions.items():
        question = await client.asked(request)
        if isinstance(question, bytes):
            raise UpstreamBroken(
                f"the MCP server asks for {request.method[:64]}, which may not be asked here"
            )
        seen[key] = question
    return Asked(seen, asked.address)


def _result(questions: dict[str, Question], state: str, client: Client) -> Envelope:
    for question in questions.values():
        client.note(question.method)
    return Envelope(result=Raw(input_required(questions, state)))


def _check_links(ask: Ask) -> None:
    needed = capabilities.lacking(ask.capabilities, "elicitation/create", Raw(b'{"mode":"url"}'))
    if needed:
        raise BadRequest(
            "somebody has to follow a link first, which this client cannot show",
            code=MISSING_CAPABILITY,
            data={"requiredCapabilities": needed},
        )
