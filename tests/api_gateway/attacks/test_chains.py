"""An agent of a chain that turns against the others in it."""

from pathlib import Path

from shared.identity import jws
from shared.identity.principal import ChainBudget
from shared.identity.token import DELEGATION, delegation_claims
from shared.policy import Rule
from tests.api_gateway.fronted import fronted
from tests.api_gateway.scripted import Script, allow
from tests.support.serve import serving, someone

ANYBODY = Rule(id="all", sub="*", dom="acme", obj="route:*", act="*")


async def test_an_agent_does_not_starve_the_chain_that_it_was_called_in(tmp_path: Path) -> None:
    """The budget of a chain is narrowed for good, for all of its callers."""
    script, evil = Script(), someone("user:alice", "agent:evil", budget=ChainBudget(tokens=1000))
    async with serving(script) as url, fronted(tmp_path, {"urls": [url]}) as front:
        await allow(front, ANYBODY)
        signer = front.edge.parts.signer
        claims = delegation_claims(evil, issuer=signer.issuer, entry_id="", trace=None, ttl=60)
        token = signer.sign(claims, typ=DELEGATION)
        for wish in ("tokens=0, usd=0", "seconds=0"):
            await front.ask("/r0/x", key=token, gatestack_budget=wish)
    [asked] = script.asked
    told = jws.read(asked.all("txn-token")[0]).claims
    assert told["budget"] == {"tokens": 1000}
    [share] = told["bounds"]["shares"]
    assert share.endswith(" micros=0 tokens=0")
