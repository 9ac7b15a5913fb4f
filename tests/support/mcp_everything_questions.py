"""How the server of the conformance suite asks its client something: as a result that wants an answer in
the stateless era, as requests in the middle of the call in the session era.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    GetPromptRequestParams,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

Ctx = ServerRequestContext[Any, Any]
Params = CallToolRequestParams | GetPromptRequestParams
Questions = Mapping[str, InputRequest]
Answers = dict[str, InputResponse]
_ANSWERS: dict[str, type[Any]] = {
    "elicitation/create": ElicitResult,
    "sampling/createMessage": CreateMessageResult,
    "roots/list": ListRootsResult,
}


def form(message: str, required: list[str] | None = None, **fields: Any) -> ElicitRequest:
    """Asks the user for `fields`, each a JSON schema or the name of a type."""
    properties = {name: {"type": of} if isinstance(of, str) else of for name, of in fields.items()}
    wanted = list(fields) if required is None else required
    schema = {"type": "object", "properties": properties, "required": wanted}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str, max_tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=max_tokens))


def roots() -> ListRootsRequest:
    return ListRootsRequest()


def is_stateless(ctx: Ctx) -> bool:
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def require(ctx: Ctx, **capabilities: Any) -> None:
    """Raises MCPError unless the client offers all of `capabilities`."""
    wanted = ClientCapabilities.model_validate(capabilities)
    if not ctx.session.check_client_capability(wanted):
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"the client offers no {' and no '.join(capabilities)}",
            {"requiredCapabilities": capabilities},
        )


async def ask(
    ctx: Ctx, params: Params, *rounds: Questions, stated: bool = False
) -> Answers | InputRequiredResult:
    """The answers to the last of `rounds` (to all of them in the session era), or what to answer with to get
    the next. Where there is one round only, its number is kept in `requestState` if it is `stated`.
    """
    if not is_stateless(ctx):
        answers: Answers = {}
        for questions in rounds:
            answers |= await _asked_now(ctx, questions)
        return answers
    keeps = stated or len(rounds) > 1
    place = int(params.request_state or 0) if keeps else 0
    given = params.input_responses or {}
    missing = {key: question for key, question in rounds[place].items() if key not in given}
    if missing:
        return InputRequiredResult(input_requests=missing, request_state=str(place) if keeps else None)
    if place + 1 < len(rounds):
        return InputRequiredResult(input_requests=dict(rounds[place + 1]), request_state=str(place + 1))
    return dict(given)


async def _asked_now(ctx: Ctx, questions: Questions) -> Answers:
    found = await asyncio.gather(*(_asked(ctx, question) for question in questions.values()))
    return dict(zip(questions, found, strict=True))


async def _asked(ctx: Ctx, question: InputRequest) -> InputResponse:
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    answer: InputResponse = await ctx.session.send_request(
        question, _ANSWERS[question.method], metadata=related
    )
    return answer
