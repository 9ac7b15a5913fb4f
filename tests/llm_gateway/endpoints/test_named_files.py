"""Files of a caller's own, named in the lines of a batch and in changes to images: its owner's alone, and
only where they are kept.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from shared.identity.principal import Caller
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, Heard, model_section, provider_section
from tests.llm_gateway.uploads import POLICY, form, keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper, images
from tests.support.providers import REAL_MODEL, ScriptedProvider
from tests.support.serve import someone

__all__ = ["keeper"]

EDITS = "/v1/images/edits"
UNKNOWN = "file-" + "0" * 26


def naming(*ids: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "file", "file": {"file_id": id}} for id in ids]}]


def edit(*ids: str, **more: Any) -> dict[str, Any]:
    return {"model": "fast", "prompt": "redder", "images": [{"file_id": id} for id in ids], **more}


@pytest.fixture
async def gateway(opened: Open, keeper: FileKeeper, second: ScriptedProvider) -> AsyncIterator[Gateway]:
    """Two providers answer; files are kept by the second of them."""
    models = {"fast": model_section("main", "second"), "elsewhere": model_section("main", aliases=[])}
    async with opened(
        second, keeper, endpoints={"files_provider": "second"}, policy=POLICY, models=models
    ) as gateway:
        yield gateway


async def uploaded(gateway: Gateway, caller: Caller | None = None) -> str:
    made: str = (await send(gateway, upload(b"secret", b"user_data"), caller=caller)).json["id"]
    return made


async def change(gateway: Gateway, body: dict[str, Any], caller: Caller | None = None) -> Heard:
    headers = gateway.identity(caller) | {"content-type": "application/json"}
    return await gateway.hear(body, path=EDITS, headers=headers)


async def test_a_batch_goes_where_its_files_are_kept_under_their_names_there(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    one, other = await uploaded(gateway), await uploaded(gateway)
    content = line(1, messages=naming(one, other)) + line(2) + line(3, messages=naming(other))
    heard = await send(gateway, upload(content))
    assert (heard.status, second.calls) == (200, []), heard.body
    bodies = [msgspec.json.decode(each)["body"] for each in keeper.files["file-3"][1].splitlines()]
    assert [body["model"] for body in bodies] == [REAL_MODEL] * 3
    assert bodies[0]["messages"] == naming("file-1", "file-2")
    assert bodies[2]["messages"] == naming("file-2")
    assert one.encode() not in keeper.files["file-3"][1]


async def test_the_lines_of_responses_and_of_images_may_name_them_too(
    opened: Open, keeper: FileKeeper
) -> None:
    async with opened(keeper, policy=POLICY) as gateway:
        made = await uploaded(gateway)
        asked = [{"role": "user", "content": [{"type": "input_file", "file_id": made}]}]
        spoken = {"custom_id": "1", "method": "POST", "url": "/v1/responses"}
        body = {"model": "fast", "input": asked, "store": False}
        painted = {"custom_id": "1", "method": "POST", "url": EDITS, "body": edit(made)}
        for each in (spoken | {"body": body}, painted):
            heard = await send(gateway, upload(msgspec.json.encode(each)))
            assert heard.status == 200, heard.body
            kept = keeper.files[f"file-{len(keeper.files)}"][1]
            assert (made.encode() in kept, b'"file_id":"file-1"' in kept) == (False, True)


@pytest.mark.parametrize(
    "who", [someone("user:bob"), someone(tenant="other"), someone("user:alice", "agent:x")]
)
async def test_a_line_that_names_anothers_file_is_refused_like_one_that_names_none(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider, who: Caller
) -> None:
    made = await uploaded(gateway)
    content = line(1, model="elsewhere") * 3_000 + line(2, model="elsewhere", messages=naming(UNKNOWN))
    unknown = await send(gateway, upload(content))
    foreign = await send(gateway, upload(content.replace(UNKNOWN.encode(), made.encode())), caller=who)
    assert (unknown.status, unknown.body) == (400, foreign.body)
    assert unknown.error["message"].startswith("line 3001: file_id: names something")
    assert (len(keeper.files), [call for call in second.calls if b"file_id" in call.body]) == (1, [])


@pytest.mark.parametrize("id", ["file-1", UNKNOWN.upper(), "", "../file-1"])
async def test_the_providers_own_ids_are_nobodys(gateway: Gateway, keeper: FileKeeper, id: str) -> None:
    made = await uploaded(gateway)
    strange = naming(id or "x")
    heard = await send(gateway, upload(line(1, messages=naming(made)) + line(2, messages=strange)))
    assert (heard.status, heard.error["message"][:14]) == (400, "line 2: file_i")
    assert len(keeper.files) == 1


async def test_a_name_written_with_escapes_is_the_same_name(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway)
    for id, status in ((made, 200), (UNKNOWN, 400)):
        written = line(1, messages=naming(id)).replace(b"file_id", b"file\\u005fid")
        assert (await send(gateway, upload(written))).status == status
    assert b'"file-1"' in keeper.files["file-2"][1]


async def test_a_batch_whose_lines_lead_elsewhere_is_refused(gateway: Gateway, keeper: FileKeeper) -> None:
    made = await uploaded(gateway)
    named = line(2, messages=naming(made))
    for content in (line(1) + named, line(1, model="elsewhere") + named):
        heard = await send(gateway, upload(content))
        assert (heard.status, heard.error["message"][:7]) == (400, "line 2:"), heard.body
    heard = await send(gateway, upload(line(1, model="elsewhere", messages=naming(made))))
    assert (heard.status, heard.error["param"]) == (400, "file_id")
    assert len(keeper.files) == 1


async def test_who_sent_an_agent_may_name_what_it_has_uploaded(gateway: Gateway) -> None:
    made = await uploaded(gateway, someone("user:alice", "agent:planner"))
    assert (await send(gateway, upload(line(1, messages=naming(made))))).status == 200


async def test_an_image_is_changed_where_it_is_kept(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    one, mask = await uploaded(gateway), await uploaded(gateway)
    keeper.will(images())
    heard = await change(gateway, edit(one, mask={"file_id": mask}))
    assert (heard.status, second.calls) == (200, []), heard.body
    assert keeper.last.json == edit("file-1", mask={"file_id": "file-2"}) | {"model": REAL_MODEL}
    assert (await gateway.service.rows(3))[2].provider == "second"


async def test_anothers_image_looks_like_none(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    made = await uploaded(gateway)
    asked = len(keeper.calls)
    strange = [await change(gateway, edit(made), someone("user:bob"))]
    strange += [await change(gateway, edit(id)) for id in (UNKNOWN, "file-1")]
    strange.append(await change(gateway, edit(made, mask={"file_id": UNKNOWN})))
    assert [heard.status for heard in strange] == [400] * 4
    assert len({heard.body for heard in strange}) == 1
    heard = await change(gateway, edit(made) | {"model": "elsewhere"})
    assert (heard.status, heard.error["param"]) == (400, "file_id")
    assert (len(keeper.calls), second.calls) == (asked, [])


async def test_a_form_brings_its_images(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    made = await uploaded(gateway)
    parts = [('name="model"', b"fast"), ('name="prompt"', b"redder")]
    headers = gateway.identity() | {"content-type": "multipart/form-data; boundary=b"}
    for name in ("image[file_id]", "FILE_ID", "images[0][file_id]"):
        body = form(*parts, (f'name="{name}"', made.encode()))
        assert (await gateway.hear(body, path=EDITS, headers=headers)).status == 400
    assert (len(keeper.calls), second.calls) == (1, [])


async def test_a_killed_provider_takes_neither(
    gateway: Gateway, keeper: FileKeeper, second: ScriptedProvider
) -> None:
    made = await uploaded(gateway)
    await gateway.edge.kill(gateway.service.parts, provider="second")
    assert (await change(gateway, edit(made))).status == 403
    refused = await send(gateway, upload(line(1, messages=naming(made))))
    assert (refused.status, refused.error["message"][:7]) == (400, "line 1:")
    assert (len(keeper.files), second.calls) == (1, [])


async def test_an_operators_own_ids_pass_where_they_may(opened: Open, keeper: FileKeeper) -> None:
    providers = {"main": provider_section(keeper)}
    async with opened(keeper, account_ids=True, policy=POLICY, providers=providers) as gateway:
        made = await uploaded(gateway)
        for id in (made, "file-1", UNKNOWN):
            heard = await send(gateway, upload(line(1, messages=naming(id))))
            assert heard.status == 200
        kept = [data for _, data in keeper.files.values()]
        assert [b'"file-1"' in data for data in kept[1:]] == [True, True, False]
