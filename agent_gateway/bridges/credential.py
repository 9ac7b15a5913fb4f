"""What goes along with a bridge's own calls: the agent's credential, and nothing of A2A's."""

from agent_gateway.route import Headers, Target

_OF_A2A = frozenset(("a2a-version", "a2a-extensions", "x-a2a-extensions", "accept", "content-type"))


def own_headers(target: Target, *, inside: bool) -> Headers:
    """`inside` is a call that goes back through this stack: only there is the trace anybody's business, and
    the token that acts for the caller.
    """
    dropped = _OF_A2A if inside else _OF_A2A | {"traceparent"}
    if target.agent.delegates and not inside:
        dropped |= {"authorization"}
    return tuple((name, value) for name, value in target.headers if name not in dropped)
