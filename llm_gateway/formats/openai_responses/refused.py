"""What callers may not ask of Responses here, refused before anything else is read of it.

A tool with an address of the caller's makes the provider send there what it is told; prompts and
conversations reach into an account that all callers share.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from llm_gateway.fields import FLAG, member, refused, wrong
from llm_gateway.formats.openai_responses.references import references

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
    if not remote_tools:
        for name in ("tools", "input"):
            _refuse_remote(name, bytes(found.get(name, b"")))


def refuse_names(found: dict[str, Raw]) -> None:
    """For where nobody can be asked whose an item is. Raises BadRequest."""
    given = bytes(found.get("input", b""))
    for place, _ in references(given) if given.startswith(b"[") else ():
        raise refused(
            f"input[{place}]",
            "items cannot be named by id here; send them, as your SDK may do with `store: false`",
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
