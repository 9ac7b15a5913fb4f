"""What one entry adds to OpenTelemetry's metrics, under the old names and the new. Prometheus has its own:
`meters.py`.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from shared.ledger.entry import Entry
from shared.telemetry.conventions import (
    Semconv,
    error_of,
    kind_of,
    mcp_method,
    operation_of,
    provider_of,
)

Labels = dict[str, str]
_INFERENCE = frozenset(("chat", "generate_content", "text_completion"))
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**power) for power in range(14))


class Instrument(Struct, frozen=True):
    kind: Literal["counter", "histogram"]
    unit: str
    about: str
    bounds: tuple[float, ...] = ()


class Measure(Struct, frozen=True):
    """`name` is a key of INSTRUMENTS."""

    name: str
    amount: float
    labels: Labels


def _seconds(about: str) -> Instrument:
    return Instrument("histogram", "s", about, _SECONDS)


_USAGE = "gen_ai.client.inference.usage."
_PER_CALL = "gen_ai.client.inference.operation."
INSTRUMENTS = {
    "gen_ai.client.token.usage": Instrument("histogram", "{token}", "Tokens of a call.", _TOKENS),
    "gen_ai.client.operation.duration": _seconds("What a call took."),
    "gen_ai.client.inference.duration": _seconds("What an inference took."),
    "gen_ai.client.inference.time_to_first_chunk": _seconds("Until a stream began."),
    f"{_PER_CALL}input_tokens": Instrument("histogram", "{token}", "Input tokens of a call.", _TOKENS),
    f"{_PER_CALL}output_tokens": Instrument("histogram", "{token}", "Output tokens of a call.", _TOKENS),
    f"{_USAGE}input_tokens": Instrument("counter", "{token}", "Input tokens."),
    f"{_USAGE}output_tokens": Instrument("counter", "{token}", "Output tokens."),
    f"{_USAGE}cache_read.input_tokens": Instrument("counter", "{token}", "Input tokens read from a cache."),
    f"{_USAGE}cache_write.input_tokens": Instrument("counter", "{token}", "Input tokens put into a cache."),
    f"{_USAGE}reasoning.output_tokens": Instrument("counter", "{token}", "Output tokens of reasoning."),
    "gen_ai.execute_tool.duration": _seconds("What a tool took."),
    "gen_ai.invoke_agent.duration": _seconds("What an agent took."),
    "mcp.server.operation.duration": _seconds("What an MCP request took."),
}


def measures(entry: Entry, semconv: Semconv) -> Iterator[Measure]:
    """Nothing for calls that policy did not allow: what they name is the caller's invention."""
    if entry.decision != "allow":
        return
    kind = kind_of(entry)
    if kind == "model":
        yield from _model(entry, semconv)
    elif kind == "tool":
        yield from _tool(entry, semconv)
    elif kind == "agent" and entry.action == "invoke":
        labels = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": entry.agent}
        yield from _lasted(entry, semconv, "gen_ai.invoke_agent.duration", labels)


def _model(entry: Entry, semconv: Semconv) -> Iterator[Measure]:
    operation, usage = operation_of(entry), entry.usage
    labels = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider_of(entry),
        "gen_ai.request.model": entry.model,
    }
    inferred = operation in _INFERENCE
    # What is no inference has kept its old name.
    name = "gen_ai.client.inference.duration" if inferred else "gen_ai.client.operation.duration"
    yield from _lasted(entry, semconv, name, labels)
    if semconv != "new":
        for kind, tokens in (("input", usage.tokens_in), ("output", usage.tokens_out)):
            if tokens:
                yield Measure("gen_ai.client.token.usage", tokens, labels | {"gen_ai.token.type": kind})
    if semconv != "old" and inferred:
        yield from _used(entry, labels)


def _used(entry: Entry, labels: Labels) -> Iterator[Measure]:
    usage = entry.usage
    if entry.streamed and entry.first_byte_us:
        seconds = entry.first_byte_us / 1_000_000
        yield Measure("gen_ai.client.inference.time_to_first_chunk", seconds, labels)
    for name, tokens in (("input_tokens", usage.tokens_in), ("output_tokens", usage.tokens_out)):
        if tokens:
            yield Measure(_PER_CALL + name, tokens, labels)
            yield Measure(_USAGE + name, tokens, labels)
    for name, tokens in (
        ("cache_read.input_tokens", usage.cached),
        ("cache_write.input_tokens", usage.cache_write),
        ("reasoning.output_tokens", usage.reasoning),
    ):
        if tokens:
            yield Measure(_USAGE + name, tokens, labels)


def _tool(entry: Entry, semconv: Semconv) -> Iterator[Measure]:
    labels = {"mcp.method.name": mcp_method(entry)}
    if entry.method == "tools/call":
        labels |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": entry.tool}
        if semconv != "old":
            yield Measure("gen_ai.execute_tool.duration", _took(entry), _with_error(entry, labels))
    yield Measure("mcp.server.operation.duration", _took(entry), _with_error(entry, labels))


def _lasted(entry: Entry, semconv: Semconv, new: str, labels: Labels) -> Iterator[Measure]:
    """The duration under its new name, its old one, or both where they differ."""
    old = "gen_ai.client.operation.duration"
    wanted = {"old": {old}, "new": {new}, "both": {old, new}}
    for name in wanted[semconv]:
        yield Measure(name, _took(entry), _with_error(entry, labels))


def _took(entry: Entry) -> float:
    return entry.duration_us / 1_000_000


def _with_error(entry: Entry, labels: Labels) -> Labels:
    error = error_of(entry)
    return labels | {"error.type": error} if error else labels
