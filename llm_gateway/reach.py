"""What a request reaches for beside its model, refused before anything is decided about it: things in the
provider's account there, which all callers share; servers of the caller's own, which providers would send to
what they are told; other models, which nobody has been asked about.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from llm_gateway.ask import Ask
from llm_gateway.endpoints.owned import spelled
from llm_gateway.files_named import ONE, SEVERAL, kind_of, named, objects, told
from shared.errors import BadRequest
from shared.jsonrpc import refuse_duplicates

Json = dict[str, Any]

# Members of a whole request.
_MODELS = ("models", "fallbacks", "fallback_models")
_OF_ACCOUNT = ("cachedContent", "cached_content", "data_sources", "dataSources")
_SERVERS = ("mcp_servers", "mcpServers")
# Without any of these there is nothing to look for. Rare bytes are looked for first: this is done for every
# call.
_WORDS = (b"container", b'"mcp', b'"retrieval"', b'"files/')
_JOINED = (b"file_id", b"vector_store", b"skill_id", b'"file_search"', b'"file_uri"', b"mcp_")
_FILES = (b'"fileuri"', b'"filesearch"')
_PLACES = (b"gs:", b"s3:", b"googleapis")
_MODEL = b'"model"'
# Plain characters written as numbers: any name may be hidden so.
_ESCAPED = re.compile(rb"\\u00[2-7]")
_ADDRESSES = ("url", "image_url", "file_url", "fileUri", "file_uri")
_STORES = ("fileSearch", "file_search", "retrieval")
_OWN_TOOLS = frozenset(("function", "custom", None))
# All members that are looked for. Some decoders find a member in whichever case its name is written.
_NAMES = frozenset(
    (
        *(*_MODELS, *_OF_ACCOUNT, *_SERVERS, *_ADDRESSES, *_STORES, ONE, SEVERAL),
        *("type", "model", "tools", "container", "container_id", "skill_id", "vector_store_ids"),
        *("server_url", "connector_id", "tunnel_id"),
    )
)
_IN_ANY_CASE = frozenset(name.lower() for name in _NAMES)


class Reach(Struct, frozen=True):
    """How far callers may reach, as the operator has said."""

    remote_tools: bool = False
    account_ids: bool = False

    def refuse(self, ask: Ask) -> None:
        """For where nobody asks whose a file is. Raises BadRequest."""
        if self.files(ask) and not self.account_ids:
            raise in_account()

    def refuse_models(self, ask: Ask) -> None:
        """Raises BadRequest."""
        for name in _MODELS:
            if name in ask.spans:
                raise _refused(name, "a request is for one model; who answers in its place is not its choice")

    def files(self, ask: Ask) -> tuple[str, ...]:
        """The files that are named in it and may be its caller's own: whose they are has yet to be looked up.
        Raises BadRequest for everything else that it may not reach for.
        """
        self.refuse_models(ask)
        _refuse_respelled(ask.spans)
        if not self.account_ids:
            for name in _OF_ACCOUNT:
                if _given(ask, name):
                    raise in_account(name)
        if not self.remote_tools:
            for name in _SERVERS:
                if _given(ask, name):
                    raise _refused(name, _REMOTE)
        # The model itself is named once.
        if _suspect(ask.body) or ("tools" in ask.spans and ask.body.count(_MODEL) > 1):
            return self._look(ask)
        return ()

    def _look(self, ask: Ask) -> tuple[str, ...]:
        try:
            whole = msgspec.json.decode(ask.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not valid JSON: {error}", cause=error) from error
        # `whole` holds the last of members that stand twice; a provider may take the first.
        refuse_duplicates(ask.body)
        files: dict[str, None] = {}
        for value in objects(whole):
            _refuse_respelled(value)
            for member, id in named(value):
                if spelled("file", id):
                    files[id] = None
                elif not self.account_ids:
                    raise in_account(member)
            if not self.account_ids and (name := _in_account(value)):
                raise in_account(name)
            if not self.remote_tools and (name := _remote(value)):
                raise _refused(name, _REMOTE)
        if any(
            isinstance(tool, dict) and isinstance(tool.get("model"), str) and kind_of(tool) not in _OWN_TOOLS
            for tool in _tools(whole)
        ):
            raise _refused("tools", "a tool may not bring a model of its own; leave its `model` out")
        return tuple(files)


_ACCOUNT = (
    "names something that a provider keeps, in an account which all callers here share; send the content"
)
_REMOTE = "servers and connectors of your own are not allowed here"


def in_account(name: str = "file_id") -> BadRequest:
    """`name` is the member at fault."""
    return _refused(name, _ACCOUNT)


def _refuse_respelled(names: Iterable[str]) -> None:
    for name in names:
        if name not in _NAMES and name.lower() in _IN_ANY_CASE:
            raise _refused(name, "could be read as another member: write it as it is documented")


def _suspect(body: bytes) -> bool:
    body = body.lower()
    if any(word in body for word in _WORDS) or (b"\\u00" in body and _ESCAPED.search(body)):
        return True
    if b"_" in body and any(word in body for word in _JOINED):
        return True
    if b'"file' in body and any(word in body for word in _FILES):
        return True
    return (b":/" in body or b":\\/" in body) and any(word in body for word in _PLACES)


def _refused(name: str, why: str) -> BadRequest:
    return BadRequest(f"{name}: {why}", data={"param": name})


def _given(ask: Ask, name: str) -> bool:
    place = ask.spans.get(name)
    return place is not None and ask.body[slice(*place)] not in (b"null", b"[]", b'""')


def _in_account(value: Json) -> str:
    """The member that names something there that is no file; empty where none does."""
    found = value.get("container_id")
    if found and isinstance(found, str) and not told(value):
        return "container_id"
    if value.get("skill_id") and kind_of(value) != "anthropic":
        return "skill_id"
    held = value.get("container")
    if (isinstance(held, str) and held) or (isinstance(held, dict) and held.get("id")):
        return "container"
    if value.get("vector_store_ids") and isinstance(value["vector_store_ids"], list):
        return "vector_store_ids"
    return next((name for name in _ADDRESSES if _private(value.get(name))), "") or next(
        (name for name in _STORES if isinstance(value.get(name), dict)), ""
    )


def _private(address: object) -> bool:
    """Whether a provider would open it with its account's rights, or has it itself."""
    if not isinstance(address, str) or address[:5].casefold() == "data:":
        return False
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return host.endswith("generativelanguage.googleapis.com")
    return parts.scheme in ("gs", "s3") or address.startswith(("files/", "cachedContents/"))


def _remote(value: Json) -> str:
    if kind_of(value) == "mcp" and any(
        value.get(name) for name in ("server_url", "connector_id", "tunnel_id")
    ):
        return "tools"
    return next((name for name in _SERVERS if value.get(name)), "")


def _tools(whole: Any) -> list[Any]:
    found = whole.get("tools") if isinstance(whole, dict) else None
    return found if isinstance(found, list) else []
