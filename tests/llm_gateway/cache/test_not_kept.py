"""What the cache keeps out of: answers that it could not give again as they were, and requests that no name
can be made of.
"""

from typing import Any

import pytest

from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import request
from tests.support.providers import ScriptedProvider


@pytest.mark.parametrize("more", [{"n": 2}, {"logprobs": True}, {"modalities": ["text", "audio"]}])
async def test_what_has_no_place_in_a_kept_answer_is_not_kept(
    opened: Open, provider: ScriptedProvider, more: dict[str, Any]
) -> None:
    async with opened(provider, cache={}) as gateway:
        for _ in range(2):
            assert (await gateway.ask(**more)).status == 200
        assert len(provider.calls) == 2


@pytest.mark.parametrize("value", [b"1e999", b"1" * 400])
async def test_a_number_that_nobody_can_write_down_is_no_failure(
    opened: Open, provider: ScriptedProvider, value: bytes
) -> None:
    async with opened(provider, cache={"semantic": {}}) as gateway:
        body = b'{"model":"fast","messages":[{"role":"user","content":"x"}],"z":%s}' % value
        assert (await gateway.hear(body)).status in (200, 400)
        assert (await gateway.hear(request())).status == 200
