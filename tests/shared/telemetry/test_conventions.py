"""How an entry is told to OpenTelemetry: names and attributes, old and new."""

from typing import Any, get_args

import pytest

from shared.ledger.entry import Entry, Outcome, Usage
from shared.telemetry.conventions import Semconv, failed, told
from shared.telemetry.measures import INSTRUMENTS, measures
from tests.support.rows import entry


def inference(**fields: Any) -> Entry:
    usage = Usage(tokens_in=100, tokens_out=20, cached=60, cache_write=5, reasoning=7)
    given: dict[str, Any] = {"model": "claude-x", "provider": "bedrock", "usage": usage}
    return entry(**{**given, "duration_us": 1_500_000, **fields})


def tool_call(**fields: Any) -> Entry:
    given = {"service": "mcp_gateway", "method": "tools/call", "resource": "tool:git/log", "tool": "git/log"}
    return entry(**{**given, "request_id": "7", **fields})


def agent_call(**fields: Any) -> Entry:
    given = {"service": "agent_gateway", "method": "SendMessage", "resource": "agent:planner"}
    return entry(**{**given, "agent": "planner", "task": "t1", "context": "x1", **fields})


def names(call: Entry, semconv: Semconv) -> set[str]:
    return {measure.name for measure in measures(call, semconv)}


def test_a_model_call_has_the_new_names() -> None:
    span = told(inference(streamed=True, first_byte_us=250_000), "new")
    assert (span.name, span.client) == ("chat claude-x", True)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "claude-x",
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 7,
    }
    assert expected.items() <= span.attributes.items()
    assert not {"gen_ai.system", "gen_ai.usage.cache_creation.input_tokens"} & set(span.attributes)


def test_the_old_names_are_there_on_request_and_both_together() -> None:
    call = inference()
    old, new, both = (told(call, semconv).attributes for semconv in get_args(Semconv))
    renamed = {"gen_ai.system": "aws.bedrock", "gen_ai.usage.cache_creation.input_tokens": 5}
    assert renamed.items() <= old.items()
    assert "gen_ai.usage.cache_write.input_tokens" not in old
    assert old | new == both


def test_an_embedding_is_no_inference() -> None:
    call = inference(method="embeddings", usage=Usage(tokens_in=8))
    assert told(call, "new").name == "embeddings claude-x"
    assert names(call, "new") == {"gen_ai.client.operation.duration"}


def test_tool_calls_are_named_by_their_method_and_tool() -> None:
    span = told(tool_call(), "new")
    assert (span.name, span.client) == ("tools/call git/log", False)
    expected = {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "git/log",
        "gen_ai.operation.name": "execute_tool",
        "jsonrpc.request.id": "7",
    }
    assert expected.items() <= span.attributes.items()
    read = tool_call(method="resources/read", resource="resource:docs/file:///a", tool="", action="read")
    assert told(read, "new").attributes["mcp.resource.uri"] == "file:///a"
    assert told(tool_call(method="tools/list", tool="", resource="tool:*"), "new").name == "tools/list"


def test_agent_calls_are_named_by_their_method() -> None:
    span = told(agent_call(), "new")
    expected = {"a2a.method.name": "SendMessage", "a2a.task.id": "t1", "gen_ai.conversation.id": "x1"}
    assert (span.name, expected.items() <= span.attributes.items()) == ("SendMessage", True)
    assert told(agent_call(), "old").name == "invoke_agent planner"


def test_what_is_no_such_call_is_named_by_what_was_done() -> None:
    edge = entry(service="api_gateway", resource="route:llm", outcome=Outcome.FAILED, reason="upstream")
    assert (told(edge, "new").name, failed(edge)) == ("invoke route:llm", True)
    assert not list(measures(edge, "both"))


def test_a_refusal_is_no_error_of_ours_but_says_why() -> None:
    refused = tool_call(outcome=Outcome.REFUSED, reason="forbidden", decision="deny")
    assert (told(refused, "new").attributes["error.type"], failed(refused)) == ("forbidden", False)


@pytest.mark.parametrize(
    ("semconv", "expected"),
    [
        ("old", {"gen_ai.client.operation.duration", "gen_ai.client.token.usage"}),
        (
            "new",
            {
                "gen_ai.client.inference.duration",
                "gen_ai.client.inference.operation.input_tokens",
                "gen_ai.client.inference.operation.output_tokens",
                "gen_ai.client.inference.usage.input_tokens",
                "gen_ai.client.inference.usage.output_tokens",
                "gen_ai.client.inference.usage.cache_read.input_tokens",
                "gen_ai.client.inference.usage.cache_write.input_tokens",
                "gen_ai.client.inference.usage.reasoning.output_tokens",
            },
        ),
    ],
)
def test_metrics_have_the_names_that_were_asked_for(semconv: Semconv, expected: set[str]) -> None:
    assert names(inference(), semconv) == expected
    assert expected < names(inference(), "both")


def test_tools_and_agents_have_metrics_too() -> None:
    assert names(tool_call(), "new") == {"mcp.server.operation.duration", "gen_ai.execute_tool.duration"}
    assert names(tool_call(), "old") == {"mcp.server.operation.duration"}
    assert names(agent_call(), "new") == {"gen_ai.invoke_agent.duration"}
    assert names(agent_call(), "old") == {"gen_ai.client.operation.duration"}
    every = set().union(*(names(call, "both") for call in (inference(), tool_call(), agent_call())))
    assert every | {"gen_ai.client.inference.time_to_first_chunk"} == set(INSTRUMENTS)


def test_what_a_caller_made_up_is_no_label_of_a_metric() -> None:
    assert not list(measures(inference(decision="deny", model="made-up"), "both"))
    strange = tool_call(method="my/own", tool="")
    assert [measure.labels for measure in measures(strange, "new")] == [{"mcp.method.name": "_OTHER"}]
