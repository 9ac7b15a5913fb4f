"""That policy on providers holds for whoever may come to answer, not only for who is asked first."""

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import model_section, rule
from tests.llm_gateway.uploads import keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import ScriptedProvider, error

__all__ = ["keeper"]

DENIED = {"rules": [rule(), rule(obj="route:*"), rule(cond='provider == "second"', eft="deny")]}


async def test_a_fallback_reaches_no_provider_that_policy_denies(
    opened: Open, provider: ScriptedProvider, second: ScriptedProvider
) -> None:
    provider.will(error(500))
    models = {"fast": model_section("main", "second"), "own": model_section("main", aliases=[])}
    async with opened(provider, second, policy=DENIED, models=models) as gateway:
        assert (await gateway.ask()).status == 404
        assert (await gateway.ask(model="own")).status == 502
        assert second.calls == []
        refused, _ = await gateway.service.rows(2)
        assert refused.decision == "deny"


async def test_nor_does_a_line_of_a_batch(opened: Open, keeper: FileKeeper, second: ScriptedProvider) -> None:
    async with opened(keeper, second, policy=DENIED) as gateway:
        assert (await send(gateway, upload(line(1)))).status == 400
        assert keeper.files == {}
