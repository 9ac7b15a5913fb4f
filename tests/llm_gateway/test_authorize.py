"""Who may use which model, and how little a refusal tells."""

from shared.ledger.entry import Outcome
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, rule
from tests.support.providers import ScriptedProvider
from tests.support.serve import someone


async def test_an_unknown_model_and_a_forbidden_one_look_the_same(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy = {"rules": [rule(obj="model:fast")]}
    models = {"fast": model_section(aliases=[]), "secret": model_section(aliases=[])}
    async with opened(provider, policy=policy, models=models) as gateway:
        forbidden, unknown = await gateway.ask(model="secret"), await gateway.ask(model="nobody")
        assert (forbidden.status, forbidden.error["code"]) == (404, "model_not_found")
        assert forbidden.error["param"] == "model"
        assert forbidden.body.replace(b"secret", b"nobody") == unknown.body
        assert provider.calls == []
        rows = await gateway.service.rows(2)
        assert [(row.decision, row.outcome, row.resource) for row in rows] == [
            ("deny", Outcome.REFUSED, "model:secret"),
            ("deny", Outcome.REFUSED, "model:nobody"),
        ]


async def test_a_model_that_is_allowed_but_does_not_exist_is_not_found(plain: Gateway) -> None:
    heard = await plain.ask(model="nobody")
    assert (heard.status, heard.error["code"]) == (404, "model_not_found")
    assert (await plain.service.row()).decision == "allow"


async def test_without_rules_nobody_may_anything(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, policy={"rules": [rule(sub="user:bob")]}) as gateway:
        assert (await gateway.ask()).status == 404


async def test_an_alias_gives_no_other_right_than_its_model(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, policy={"rules": [rule(obj="model:gpt-4o-mini")]}) as gateway:
        assert (await gateway.ask(model="gpt-4o-mini")).status == 404


async def test_every_principal_of_a_chain_must_be_allowed(opened: Open, provider: ScriptedProvider) -> None:
    policy = {"rules": [rule(sub="user:alice"), rule(sub="agent:researcher")]}
    async with opened(provider, policy=policy) as gateway:
        heard = await gateway.ask(someone("user:alice", "agent:planner", "agent:researcher"))
        assert heard.status == 404
        row = await gateway.service.row()
        assert (row.decision, row.findings) == ("deny", ("refused:agent:planner",))
        assert (await gateway.ask(someone("user:alice", "agent:researcher"))).status == 200


async def test_the_scope_of_a_credential_narrows(plain: Gateway) -> None:
    assert (await plain.ask(someone(scope=("tool:*",)))).status == 404
    assert (await plain.ask(someone(scope=("model:fast",)))).status == 200


async def test_a_condition_sees_the_models_labels(opened: Open, provider: ScriptedProvider) -> None:
    policy = {"rules": [rule(cond='"sends:outside" not in labels')]}
    models = {"fast": model_section(aliases=[]), "out": model_section(aliases=[], labels=["sends:outside"])}
    async with opened(provider, policy=policy, models=models) as gateway:
        assert (await gateway.ask()).status == 200
        assert (await gateway.ask(model="out")).status == 404


async def test_a_model_taints_its_chain_and_policy_sees_that(
    opened: Open, provider: ScriptedProvider
) -> None:
    policy = {"rules": [rule(), rule(obj="model:fast", cond='"content:untrusted" in taint', eft="deny")]}
    models = {
        "fast": model_section(aliases=[]),
        "web": model_section(aliases=[], labels=["content:untrusted"]),
    }
    async with opened(provider, policy=policy, models=models) as gateway:
        caller = someone()
        assert (await gateway.ask(caller)).status == 200
        assert (await gateway.ask(caller, model="web")).status == 200
        assert (await gateway.ask(caller)).status == 404
        assert (await gateway.ask(someone())).status == 200


async def test_a_name_that_is_a_pattern_means_nothing(plain: Gateway) -> None:
    for name in ("*", "fa*", "fast\n", "../fast"):
        assert (await plain.ask(model=name)).status == 404
