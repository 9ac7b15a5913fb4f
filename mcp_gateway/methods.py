"""The methods that clients may call, as a table: what each is about, what policy calls it, and in which
eras it exists.
"""

from typing import Literal

from msgspec import Struct

from shared import jsonrpc
from shared.errors import BadRequest

Kind = Literal["tool", "prompt", "resource", "template"]
KINDS: tuple[Kind, ...] = ("tool", "prompt", "resource", "template")
# What the parameter is called that names an item of a kind, and what its list is called in results.
KEYS: dict[Kind, str] = {"tool": "name", "prompt": "name", "resource": "uri", "template": "uriTemplate"}
LISTS: dict[Kind, str] = {
    "tool": "tools",
    "prompt": "prompts",
    "resource": "resources",
    "template": "resourceTemplates",
}
LIST_METHODS: dict[Kind, str] = {
    "tool": "tools/list",
    "prompt": "prompts/list",
    "resource": "resources/list",
    "template": "resources/templates/list",
}
# Under which capability a server says that it has items of a kind.
CAPABILITIES: dict[Kind, str] = {
    "tool": "tools",
    "prompt": "prompts",
    "resource": "resources",
    "template": "resources",
}
# What must be allowed on an item before it shows in a list, and what its use is authorised as.
ACTIONS: dict[Kind, str] = {"tool": "invoke", "prompt": "read", "resource": "read", "template": "read"}


class Method(Struct, frozen=True, kw_only=True):
    """`does` tells who answers: the gateway itself (`answer`), the catalog (`list`) or an upstream
    (`call`). What is not answered but goes on is to `listen`; to `subscribe` says to what.
    What nobody here knows is left to the server (`pass`).

    A `call` and a subscription are about one item of `kind`; `completes` marks the one that names it in a
    reference. `cacheable` results carry cache hints in the stateless era.
    """

    name: str
    does: Literal["answer", "list", "call", "listen", "subscribe", "pass"]
    kind: Kind = "tool"
    session: bool = True
    stateless: bool = True
    completes: bool = False
    cacheable: bool = False


# What only a server says.
_NEVER = ("notifications/", "sampling/", "elicitation/", "roots/")
_LONGEST = 80

_TABLE = (
    Method(name="initialize", does="answer", stateless=False),
    Method(name="ping", does="answer", stateless=False),
    Method(name="logging/setLevel", does="answer", stateless=False),
    Method(name="server/discover", does="answer", session=False, cacheable=True),
    Method(name="tools/list", does="list", kind="tool", cacheable=True),
    Method(name="prompts/list", does="list", kind="prompt", cacheable=True),
    Method(name="resources/list", does="list", kind="resource", cacheable=True),
    Method(name="resources/templates/list", does="list", kind="template", cacheable=True),
    Method(name="tools/call", does="call", kind="tool"),
    Method(name="prompts/get", does="call", kind="prompt"),
    Method(name="resources/read", does="call", kind="resource", cacheable=True),
    Method(name="completion/complete", does="call", kind="prompt", completes=True),
    Method(name="resources/subscribe", does="subscribe", kind="resource", stateless=False),
    Method(name="resources/unsubscribe", does="subscribe", kind="resource", stateless=False),
    Method(name="subscriptions/listen", does="listen", session=False),
)
METHODS = {method.name: method for method in _TABLE}
# What no client sends as a request: a notification or an answer, the wish to listen, the end of a session.
NOTIFICATION = Method(name="notification", does="answer")
STREAM = Method(name="stream", does="listen", stateless=False)
END_SESSION = Method(name="session/end", does="answer", stateless=False)


def find(name: str, *, stateless: bool, passes: bool) -> Method:
    """With `passes` there is one server only that a method can be for which nobody here knows. Raises
    BadRequest for one that does not exist in this era.
    """
    method = METHODS.get(name)
    if method is None and passes and name and len(name) <= _LONGEST and not name.startswith(_NEVER):
        return Method(name=name, does="pass")
    if method is None or not (method.stateless if stateless else method.session):
        raise BadRequest(f"there is no method {name[:80]!r} here", code=jsonrpc.METHOD_NOT_FOUND)
    return method
