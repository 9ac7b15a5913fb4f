"""What the demo's two agents have in common: an A2A server on a free port, and one task a message."""

import asyncio
import os
import socket
import sys
from abc import abstractmethod

import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette

from demo.stack import Stack


class Agent(AgentExecutor):
    """Answers each message with a task. `act` does the work with the bearer that came with the message."""

    name = ""
    does = ""
    skill = ""

    @abstractmethod
    async def act(self, stack: Stack, question: str, updater: TaskUpdater) -> str: ...

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.message is not None
        task = new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        bearer = context.call_context.state["headers"].get("authorization", "").removeprefix("Bearer ")
        try:
            answer = await self.act(
                Stack(os.environ["DEMO_API_URL"], bearer), context.get_user_input(), updater
            )
        except Exception as error:
            print(f"{self.name}: {error!r}", file=sys.stderr, flush=True)
            await updater.failed(
                updater.new_agent_message([new_text_part(f"{self.name} could not: {error}")])
            )
            return
        await updater.add_artifact([new_text_part(answer)], name="answer")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        assert context.task_id is not None
        assert context.context_id is not None
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def say(updater: TaskUpdater, text: str) -> None:
    """Tells whoever listens what is being done."""
    await updater.start_work(updater.new_agent_message([new_text_part(text)]))


def main(agent: Agent) -> None:
    """Serves `agent` until it is told to stop or its parent leaves."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    card = _card(agent, url)
    handler = DefaultRequestHandler(agent_executor=agent, task_store=InMemoryTaskStore(), agent_card=card)
    app = Starlette(routes=[*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/")])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    print(f"{agent.name} listens on {url}", flush=True)
    asyncio.run(_serve(server, listener))


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _stop_at_the_end, server)
    await server.serve(sockets=[listener])


def _stop_at_the_end(server: uvicorn.Server) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        server.should_exit = True


def _card(agent: Agent, url: str) -> AgentCard:
    return AgentCard(
        name=agent.name,
        description=agent.does,
        version="1.0.0",
        supported_interfaces=[AgentInterface(url=url, protocol_binding="JSONRPC", protocol_version="1.0")],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id=agent.skill, name=agent.skill, description=agent.does, tags=["demo"])],
    )
