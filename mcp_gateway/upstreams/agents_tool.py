"""The tool that an agent is: its definition, and its arguments as the message that the agent gets."""

from typing import Any, Self

import msgspec
from msgspec import Struct

from mcp_gateway.meta import members
from mcp_gateway.upstreams.upstream import Call
from shared.agent_list import Listed
from shared.errors import BadRequest
from shared.jsonrpc import INVALID_PARAMS
from shared.ledger.entry import new_id

_INPUT = {
    "type": "object",
    "properties": {
        "message": {"type": "string", "description": "What the agent is told, in plain words."},
        "context_id": {"type": "string", "description": "Goes on with an earlier conversation."},
        "task_id": {"type": "string", "description": "Answers a task that asked for more."},
    },
    "required": ["message"],
    "additionalProperties": False,
}
_OUTPUT = {
    "type": "object",
    "properties": {
        "state": {"type": "string"},
        "context_id": {"type": "string"},
        "task_id": {"type": "string"},
    },
    "required": ["state", "context_id", "task_id"],
}


class Asked(Struct, frozen=True, kw_only=True):
    """What one call says to the agent `agent`."""

    agent: str
    message: str
    context_id: str = ""
    task_id: str = ""

    @classmethod
    def of(cls, call: Call) -> Self:
        """Raises BadRequest."""
        found = members(call.params["arguments"]) if "arguments" in call.params else {}
        given = {"agent": call.params["name"], **found}
        try:
            return msgspec.json.decode(msgspec.json.encode(given), type=cls)
        except msgspec.DecodeError as error:
            raise BadRequest(f"params.arguments: {error}", code=INVALID_PARAMS, cause=error) from error

    def params(self) -> bytes:
        message: dict[str, Any] = {
            "messageId": new_id(),
            "role": "ROLE_USER",
            "parts": [{"text": self.message}],
        }
        if self.context_id:
            message["contextId"] = self.context_id
        if self.task_id:
            message["taskId"] = self.task_id
        return msgspec.json.encode({"message": message})


def definition(agent: Listed) -> dict[str, Any]:
    return {
        "name": agent.name,
        "title": agent.title or agent.name,
        "description": f"Asks the agent {agent.name}. {agent.description}".rstrip(),
        "inputSchema": _INPUT,
        "outputSchema": _OUTPUT,
    }
