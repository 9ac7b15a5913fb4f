"""OpenTelemetry's names for model, tool and agent calls, the old ones and the new: the one place that follows
their renames.

`old` is what the core semantic conventions said up to 1.41, and what most dashboards still read; `new` is the
repository semantic-conventions-genai (gen-ai-dev/1.42.0-dev), where these names have lived since.
"""

from typing import Any, Literal

from msgspec import Struct

from shared.ledger.entry import Entry, Outcome

Semconv = Literal["old", "new", "both"]
Attributes = dict[str, Any]
SCHEMA_URL = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
_FAILED = (Outcome.FAILED, Outcome.BROKEN)

# Providers as operators usually call them, where the conventions call them otherwise.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
_OPERATIONS = {"": "chat", "completions": "text_completion"}
# What a caller made up is no name for a metric.
_MCP_METHODS = frozenset(
    (
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tools/call",
        "tools/list",
    )
)
_OTHER = "_OTHER"


class Told(Struct, frozen=True):
    """An entry as OpenTelemetry wants it told. `client`: the span is that of a call we made, not of one we
    took."""

    name: str
    attributes: Attributes
    client: bool = False


def kind_of(entry: Entry) -> Literal["model", "tool", "agent", ""]:
    """Which conventions speak of this entry; "" where it is a request like any other."""
    if entry.service == "mcp_gateway" and entry.method:
        return "tool"
    if entry.service == "agent_gateway" and entry.method:
        return "agent"
    if entry.service == "llm_gateway" and entry.action == "invoke" and entry.resource.startswith("model:"):
        return "model"
    return ""


def told(entry: Entry, semconv: Semconv) -> Told:
    """The span's name and attributes. Where both are asked for, the new name is taken."""
    kind = kind_of(entry)
    if kind == "model":
        name = f"{operation_of(entry)} {entry.model}"
        return Told(name, _filled(_common(entry) | _model(entry, semconv)), client=True)
    if kind == "tool":
        name = f"{entry.method} {entry.tool or _prompt(entry)}".strip()
        return Told(name, _filled(_common(entry) | _tool(entry)))
    if kind == "agent":
        name = f"invoke_agent {entry.agent}" if semconv == "old" else entry.method
        return Told(name, _filled(_common(entry) | _agent(entry, semconv)))
    name = f"{entry.action} {entry.resource}".strip() or entry.service
    return Told(name, _filled(_common(entry)))


def operation_of(entry: Entry) -> str:
    return _OPERATIONS.get(entry.method, entry.method)


def provider_of(entry: Entry) -> str:
    return _PROVIDERS.get(entry.provider, entry.provider)


def mcp_method(entry: Entry) -> str:
    return entry.method if entry.method in _MCP_METHODS else _OTHER


def error_of(entry: Entry) -> str:
    return entry.reason if entry.outcome is not Outcome.COMPLETED else ""


def failed(entry: Entry) -> bool:
    """Whether it is the server's fault: a refusal is an answer."""
    return entry.outcome in _FAILED


def _common(entry: Entry) -> Attributes:
    caller = entry.caller
    return {
        "gatestack.entry": entry.id,
        "gatestack.chain": caller.chain if caller else "",
        "gatestack.actors": list(caller.actors) if caller else [],
        "gatestack.outcome": str(entry.outcome),
        "gatestack.resource": entry.resource,
        "gatestack.decision": entry.decision,
        "gatestack.cost_micros": entry.cost_micros,
        "http.response.status_code": entry.status,
        "error.type": error_of(entry),
    }


def _model(entry: Entry, semconv: Semconv) -> Attributes:
    usage, provider = entry.usage, provider_of(entry)
    found: Attributes = {
        "gen_ai.operation.name": operation_of(entry),
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": entry.model,
        "gen_ai.usage.input_tokens": usage.tokens_in,
        "gen_ai.usage.output_tokens": usage.tokens_out,
        "gen_ai.usage.cache_read.input_tokens": usage.cached,
    }
    if semconv != "new":
        found |= {"gen_ai.system": provider, "gen_ai.usage.cache_creation.input_tokens": usage.cache_write}
    if semconv != "old":
        found |= {
            "gen_ai.request.stream": entry.streamed,
            "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
        }
        if entry.streamed:
            found["gen_ai.response.time_to_first_chunk"] = entry.first_byte_us / 1_000_000
    return found


def _tool(entry: Entry) -> Attributes:
    kind, _, name = entry.resource.partition(":")
    return {
        "mcp.method.name": entry.method,
        "mcp.resource.uri": name.partition("/")[2] if kind == "resource" else "",
        "jsonrpc.request.id": entry.request_id,
        "gen_ai.operation.name": "execute_tool" if entry.method == "tools/call" else "",
        "gen_ai.tool.name": entry.tool,
        "gen_ai.prompt.name": _prompt(entry),
        "network.transport": "tcp",
    }


def _agent(entry: Entry, semconv: Semconv) -> Attributes:
    found: Attributes = {"gen_ai.agent.name": entry.agent, "gen_ai.conversation.id": entry.context}
    if entry.action == "invoke":
        found["gen_ai.operation.name"] = "invoke_agent"
    if semconv != "old":
        found |= {"a2a.method.name": entry.method, "a2a.task.id": entry.task}
    return found


def _prompt(entry: Entry) -> str:
    kind, _, name = entry.resource.partition(":")
    return name if kind == "prompt" and entry.method == "prompts/get" else ""


def _filled(found: Attributes) -> Attributes:
    return {name: value for name, value in found.items() if value not in ("", 0, [])}
