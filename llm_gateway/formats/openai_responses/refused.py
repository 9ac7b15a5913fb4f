"""What callers may not ask of Responses here, refused before anything else is read of it.

A tool with an address of the caller's makes the provider send there what it is told; ids of items, prompts
and conversations reach into an account that all callers share.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from llm_gateway.fields import FLAG, member, refused, wrong
from llm_gateway.formats.openai_responses.references import references, response_of

_ADDRESSED = frozenset(("server_url", "connector_id", "tunnel_id"))


def refuse(found: dict[str, Raw], *, remote_tools: bool) -> None:
    """Raises BadRequest. `remote_tools`: the operator lets callers bring MCP servers and connectors."""
    if member(found, "background", FLAG):
        raise refused(
            "background", "answers in the background are not kept here; leave it out and wait, or stream"
        )
    for name in ("conversation", "prompt"):
        if bytes(found.get(name, b"null")) != b"null":
            raise refused(name, "is not kept here; send `input`, or continue with previous_response_id")
    given = bytes(found.get("input", b""))
    if given.startswith(b"["):
        _refuse_references(given)
    if not remote_tools:
        for name in ("tools", "input"):
            _refuse_remote(name, bytes(found.get(name, b"")))


def _refuse_references(given: bytes) -> None:
    for place, id in references(given):
        if not response_of(id):
            raise refused(
                f"input[{place}]",
                "a provider's own items cannot be named by id; send them, as your SDK may do with "
                "`store: false`, or use previous_response_id",
            )


def _refuse_remote(name: str, given: bytes) -> None:
    # What is written with escapes may be anything: that is looked at too.
    if b"mcp" not in given and b"\\u" not in given:
        return
    try:
        found = any(
            value.get("type") == "mcp" and not _ADDRESSED.isdisjoint(value)
            for value in _objects(msgspec.json.decode(given))
        )
    except (ValueError, RecursionError) as error:
        raise wrong(name, error) from error
    if found:
        raise refused(name, "MCP servers and connectors of your own are not allowed here")


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _objects(inner)
