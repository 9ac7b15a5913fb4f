"""Answers that the edge has kept, asked for by somebody else than they were for."""

from pathlib import Path

from tests.api_gateway.fronted import fronted
from tests.api_gateway.scripted import Script
from tests.support.serve import serving


async def test_an_answer_to_one_key_is_not_for_another_key_of_the_same_principal(tmp_path: Path) -> None:
    """The service is told which key it is, and may answer accordingly."""
    script = Script()
    script.headers = [("cache-control", "max-age=600")]
    async with serving(script) as url, fronted(tmp_path, {"urls": [url], "cache": {}}) as front:
        other = await front.new_key("user:alice")
        await front.ask("/r0/this-key")
        script.body = b"the other's"
        assert (await front.ask("/r0/this-key", key=other)).body == b"the other's"
        assert (await front.ask("/r0/this-key")).body == b"hello"
