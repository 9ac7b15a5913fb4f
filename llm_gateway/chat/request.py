"""The neutral request."""

from typing import Any, Literal

from msgspec import Struct

from llm_gateway.chat.parts import AnyPart

Role = Literal["system", "user", "assistant"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Message(Struct, frozen=True, kw_only=True):
    """Tool results are parts of user messages, tool calls and thinking of assistant messages. Developers'
    messages are system messages. Neighbours may have the same role: a wire that forbids it joins them.
    """

    role: Role
    parts: tuple[AnyPart, ...]
    name: str = ""


class Tool(Struct, frozen=True, kw_only=True):
    """A function that the caller runs. `schema` is JSON Schema, empty for no arguments."""

    name: str
    description: str = ""
    schema: dict[str, Any] = {}
    strict: bool | None = None
    cache_point: bool = False


class HostedTool(Struct, frozen=True, kw_only=True):
    """A tool that the provider runs (web search, code interpreter): known to the wire named by `origin`
    only.
    """

    origin: str
    kind: str
    value: dict[str, Any]


class ToolChoice(Struct, frozen=True, kw_only=True):
    """`named` tells which; `parallel` is None where the caller did not say."""

    mode: Literal["auto", "none", "any", "named"] = "auto"
    name: str = ""
    parallel: bool | None = None


class Output(Struct, frozen=True, kw_only=True):
    """`json` is any object, `schema` one that fits `schema`."""

    kind: Literal["text", "json", "schema"] = "text"
    name: str = ""
    schema: dict[str, Any] = {}
    strict: bool | None = None


class Reasoning(Struct, frozen=True, kw_only=True):
    """How much a model may think: `effort`, or `budget` in tokens, or both. `show`: the caller wants to see
    it.
    """

    effort: Effort | None = None
    budget: int | None = None
    show: bool | None = None


class Chat(Struct, frozen=True, kw_only=True):
    """None is "the caller did not say". `origin` names the format it came in; `extra` holds that format's
    top-level members that have no place here: they go on where the provider speaks the same, elsewhere they
    are named as dropped.
    """

    origin: str
    model: str
    messages: tuple[Message, ...]
    stream: bool = False
    tools: tuple[Tool | HostedTool, ...] = ()
    tool_choice: ToolChoice | None = None
    output: Output = Output()
    reasoning: Reasoning | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int = 1
    logprobs: int | None = None
    user: str = ""
    metadata: dict[str, str] = {}
    service_tier: str = ""
    extra: dict[str, Any] = {}
