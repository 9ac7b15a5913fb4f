"""Every service counts a caller by the same facts."""

from shared.limits.facts import caller_facts
from tests.support.serve import someone


def test_a_user_has_no_agent_and_an_agent_in_the_chain_is_the_one_that_acts() -> None:
    assert caller_facts(someone("user:alice"))["agent"] == ""
    chain = someone("user:alice", "agent:planner", "agent:researcher", key="k1")
    facts = caller_facts(chain)
    assert (facts["user"], facts["agent"], facts["key"]) == ("user:alice", "agent:researcher", "k1")
    assert (facts["tenant"], facts["team"], facts["chain"]) == ("acme", "support", chain.chain)
