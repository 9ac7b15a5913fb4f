"""What limits count a caller by, the same everywhere; each service adds what it alone knows (model, tool)."""

from shared.identity.principal import Caller
from shared.limits import own


def caller_facts(caller: Caller) -> dict[str, str]:
    """A fresh dict. `agent` is the agent that acts now, "" where none does. `shares`
    are the branches that the caller is in (`branch.py`), `limits` those of its key (`own.py`).
    """
    principal = caller.principal
    return {
        "key": caller.key,
        "user": principal.sub,
        "agent": caller.actor if caller.actor.startswith("agent:") else "",
        "team": principal.team,
        "project": principal.project,
        "tenant": principal.tenant,
        "tier": principal.tier,
        "chain": caller.chain,
        "shares": "\n".join(caller.bounds.shares),
        "limits": own.of(caller),
    }
