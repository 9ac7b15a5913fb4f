"""A service account that is disabled acts nowhere any more, whatever proves it, until it is enabled."""

from urllib.parse import urlencode

import pytest

from tests.stack.conftest import TENANT, World
from tests.stack.test_kill import chat, refused_as_killed, talking, until_killed, working, works
from tests.support.identity_provider import IdentityProvider
from tests.support.wait import eventually

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


async def billing_is(world: World, *, disabled: bool) -> None:
    change = {"kind": "service_account", "name": f"{TENANT}/billing"}
    held = await world.stack.admin("GET", f"/objects/service_account/{TENANT}/billing")
    if_match = held.json["etag"].strip('"') if held.status == 200 else ""
    spec = {"owner": "user:alice", "disabled": disabled}
    batch = {"changes": [{**change, "spec": spec, "if_match": if_match}], "reason": "a test"}
    put = await world.stack.admin("PUT", "/objects", batch)
    assert (put.status, put.json["published"]) == (200, True), put.body


async def test_its_providers_tokens_and_its_chains_end_and_come_back(
    world: World, idp: IdentityProvider
) -> None:
    patient = world.agents["patient"]
    token, other = idp.token(name="billing"), idp.token(name="shop")
    namesake = idp.token(name="billing", org="globex")
    async with talking(world, other) as spared, talking(world, token) as model, working(world, token) as work:
        theirs = world.provider.calls[-2]
        bearer = patient.calls("SendStreamingMessage")[-1].bearer
        await billing_is(world, disabled=True)
        last = await model.last()
        assert last["error"]["code"] == "killed"
        assert "the service account billing is disabled" in last["error"]["message"]
        assert "stopped by an operator" in (await work.last())["error"]["message"]
        await eventually(lambda: patient.calls("CancelTask"), "CancelTask at the agent")
        await until_killed(world, token)
        await until_killed(world, bearer)
        form = {"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": JWT}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        sent = urlencode(form | {"requested_actor": "agent:planner"}).encode()
        assert refused_as_killed(await world.stack.send("POST", "/oauth/token", body=sent, headers=headers))
        assert [(await chat(world, each)).status for each in (other, namesake)] == [200, 200]
        assert not theirs.left.is_set()
        assert spared.chain != model.chain
    await billing_is(world, disabled=False)
    await works(world, token, bearer)
