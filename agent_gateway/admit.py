"""Stage: every task and context that a call names must be the caller's own."""

from agent_gateway.call import Call
from agent_gateway.catalog import Agent
from agent_gateway.tasks import Tasks
from shared.identity.principal import Caller


async def admit(caller: Caller, agent: Agent, call: Call, tasks: Tasks) -> None:
    """Raises NotFound, the same for a foreign id as for one that never was."""
    names = call.names
    if names.task or names.context or names.references:
        await tasks.check(agent.name, caller, names)
