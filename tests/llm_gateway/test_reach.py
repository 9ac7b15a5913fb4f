"""That a request reaches for its model and nothing else: not into the account that all callers share at a
provider, not to servers of the caller's own, not for other models.
"""

from typing import Any

import msgspec
import pytest

from llm_gateway.formats.openai_chat import OpenAIChat
from llm_gateway.reach import Reach
from shared.errors import BadRequest
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import MESSAGES, Gateway, request, rule
from tests.llm_gateway.uploads import keeper, line, send, upload
from tests.support.endpoint_provider import FileKeeper
from tests.support.providers import ScriptedProvider

__all__ = ["keeper"]

CHAT, RESPONSES, MESSAGES_PATH = "/v1/chat/completions", "/v1/responses", "/anthropic/v1/messages"
GEMINI = "/v1beta/models/fast:generateContent"


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def chat(**members: Any) -> tuple[str, dict[str, Any]]:
    return CHAT, request(**members)


def responses(*items: dict[str, Any], **members: Any) -> tuple[str, dict[str, Any]]:
    return RESPONSES, {"model": "fast", "input": user(*items) if items else "hello", **members}


def anthropic(*blocks: dict[str, Any], **members: Any) -> tuple[str, dict[str, Any]]:
    said = user(*blocks) if blocks else MESSAGES
    return MESSAGES_PATH, {"model": "fast", "max_tokens": 9, "messages": said, **members}


def gemini(*parts: dict[str, Any], **members: Any) -> tuple[str, dict[str, Any]]:
    return GEMINI, {"contents": [{"parts": list(parts) or [{"text": "hello"}]}], **members}


FILE = {"type": "file", "file_id": "file-1"}
IN_ACCOUNT = {
    "chat: a file": chat(messages=user({"type": "file", "file": {"file_id": "file-1"}})),
    "chat: a bucket": chat(messages=user({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}})),
    "chat: s3": chat(messages=user({"type": "image_url", "image_url": {"url": "s3://bucket/a.png"}})),
    "chat: a file by its name": chat(messages=user({"type": "image_url", "image_url": {"url": "files/1"}})),
    "chat: azure's data": chat(data_sources=[{"type": "azure_search"}]),
    "responses: a file": responses({"type": "input_file", "file_id": "file-1"}),
    "responses: an image": responses({"type": "input_image", "file_id": "file-1"}),
    "responses: a store": responses(tools=[{"type": "file_search", "vector_store_ids": ["vs_1"]}]),
    "responses: a container": responses(tools=[{"type": "code_interpreter", "container": "cntr_1"}]),
    "responses: its files": responses(
        tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}}]
    ),
    "anthropic: a document": anthropic({"type": "document", "source": FILE}),
    "anthropic: an image in a result": anthropic(
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": FILE}]}
    ),
    "anthropic: an upload": anthropic({"type": "container_upload", "file_id": "file-1"}),
    "anthropic: a container": anthropic(container="container_1"),
    "anthropic: a skill": anthropic(container={"skills": [{"type": "custom", "skill_id": "skill_1"}]}),
    "gemini: a cache": gemini(cachedContent="cachedContents/1"),
    "gemini: a cache, respelled": gemini(cached_content="cachedContents/1"),
    "gemini: a file": gemini(
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}
    ),
    "gemini: a bucket": gemini({"file_data": {"file_uri": "gs://bucket/a.pdf"}}),
    "gemini: a store": gemini(tools=[{"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/1"]}}]),
    "gemini: a corpus": gemini(tools=[{"retrieval": {"vertexAiSearch": {"datastore": "projects/x"}}}]),
}
MCP = {"type": "mcp", "server_label": "x", "server_url": "https://attacker.example"}
REMOTE = {
    "chat": chat(tools=[MCP]),
    "responses": responses(tools=[MCP]),
    "anthropic": anthropic(mcp_servers=[{"type": "url", "url": "https://attacker.example", "name": "x"}]),
    "gemini": gemini(tools=[{"mcpServers": [{"name": "x"}]}]),
}
MODELS = {
    "chat: models": chat(models=["dear"]),
    "chat: fallbacks": chat(fallbacks=["dear"]),
    "responses: a tool's": responses(tools=[{"type": "image_generation", "model": "dear"}]),
    "anthropic: a tool's": anthropic(tools=[{"type": "advisor_1", "name": "advisor", "model": "dear"}]),
}
HARMLESS = {
    "a tool's schema": chat(
        tools=[
            {"type": "function", "function": {"name": "f", "parameters": {"file_id": "x", "container": "y"}}}
        ]
    ),
    "talk of it": chat(messages=[{"role": "user", "content": 'gs://bucket "file_id" container mcp "model"'}]),
    "a tool's arguments": anthropic(
        {"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "x", "container": "y"}}
    ),
    "a public image": chat(messages=user({"type": "image_url", "image_url": {"url": "https://a.example/b"}})),
    "youtube": gemini({"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}),
    "reading the web": gemini(tools=[{"urlContext": {}}]),
    "a citation": responses(
        {"type": "output_text", "text": "x", "annotations": [{"type": "file_citation", "file_id": "file-1"}]}
    ),
    "a tool's schema in another case": chat(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"File_Id": "container"}}}]
    ),
    "a fresh container": responses(tools=[{"type": "code_interpreter", "container": {"type": "auto"}}]),
    "a tool called model": chat(
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"properties": {"model": {}}}}}]
    ),
}


FORMS = (
    (CHAT, '{"model":"fast","messages":[{"role":"user","content":[{"type":"file","file":%s}]}]}'),
    (RESPONSES, '{"model":"fast","input":[{"role":"user","content":[{"type":"input_image","x":%s}]}]}'),
    (RESPONSES, '{"model":"fast","input":"hello","tools":[{"type":"code_interpreter","container":%s}]}'),
)
READ_TWO_WAYS = (
    *('{"file_id":"file-1","file_id":null}', '{"file_id":"file-1","file\\u005fid":""}'),
    *(
        '{"File_Id":"file-1"}',
        '{"FILE_ID":"file-1"}',
        '{"file_Ids":["file-1"]}',
        '{"fil\\u0045_id":"file-1"}',
    ),
    *('{"url":"gs://b/a","url":"https://a.example"}', '{"URL":"gs://b/a"}', '{"Container":"cntr_1"}'),
    '{"type":"mcp","server_url":"https://attacker.example","server_url":""}',
)


@pytest.mark.parametrize("held", READ_TWO_WAYS)
async def test_what_two_readers_could_read_in_two_ways_is_refused(
    plain: Gateway, provider: ScriptedProvider, held: str
) -> None:
    for path, form in FORMS:
        heard = await plain.hear((form % held).encode(), path=path)
        assert (heard.status, provider.calls) == (400, []), heard.body


@pytest.mark.parametrize("name", ["Models", "FALLBACKS", "cachedcontent", "MCP_servers", "Container"])
async def test_so_is_a_member_of_the_request_itself(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    heard = await plain.hear(request(**{name: ["dear"]}))
    assert (heard.status, heard.error["param"], provider.calls) == (400, name, [])


@pytest.mark.parametrize("name", IN_ACCOUNT)
async def test_nothing_in_the_shared_account_can_be_named(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    path, body = IN_ACCOUNT[name]
    heard = await plain.hear(body, path=path)
    assert (heard.status, provider.calls) == (400, [])


@pytest.mark.parametrize("name", ["anthropic: a document", "gemini: a file", "gemini: a bucket"])
async def test_nor_can_its_tokens_be_counted(plain: Gateway, provider: ScriptedProvider, name: str) -> None:
    path, body = IN_ACCOUNT[name]
    counting = path.replace(":generateContent", ":countTokens").replace("/messages", "/messages/count_tokens")
    heard = await plain.hear(body, path=counting)
    assert (heard.status, provider.calls) == (400, [])


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v1/images/edits", {"images": [{"file_id": "file-1"}]}),
        ("/v1/images/edits", {"images": [{"file_id": "file-" + "0" * 26}]}),
        ("/v1/images/edits", {"images": [], "mask": {"file_id": "file-1"}}),
        ("/v1/images/generations", {"models": ["dear"]}),
        ("/v1/embeddings", {"fallbacks": ["dear"]}),
    ],
)
async def test_nor_can_other_endpoints_reach_further(
    plain: Gateway, provider: ScriptedProvider, path: str, members: dict[str, Any]
) -> None:
    body = msgspec.json.encode({"model": "fast", "prompt": "a", "input": "a"} | members)
    headers = plain.identity() | {"content-type": "application/json"}
    heard = await plain.hear(body, path=path, headers=headers)
    assert (heard.status, provider.calls) == (400, [])


@pytest.mark.parametrize("name", REMOTE)
async def test_nobody_brings_servers_of_their_own(
    plain: Gateway, provider: ScriptedProvider, name: str
) -> None:
    path, body = REMOTE[name]
    heard = await plain.hear(body, path=path)
    assert (heard.status, provider.calls) == (400, [])


@pytest.mark.parametrize("name", MODELS)
async def test_a_request_is_for_one_model(plain: Gateway, provider: ScriptedProvider, name: str) -> None:
    path, body = MODELS[name]
    heard = await plain.hear(body, path=path)
    assert (heard.status, provider.calls) == (400, [])


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_only_looks_like_it_passes(plain: Gateway, provider: ScriptedProvider, name: str) -> None:
    path, body = HARMLESS[name]
    heard = await plain.hear(body, path=path)
    assert heard.status == 200, heard.body


@pytest.mark.parametrize("name", ["chat: a file", "chat: a bucket"])
def test_a_name_written_with_escapes_is_the_same_name(name: str) -> None:
    raw = msgspec.json.encode(IN_ACCOUNT[name][1])
    for plain, disguised in ((b"file_id", b"file\\u005fid"), (b"gs:", b"\\u0067s:")):
        raw = raw.replace(plain, disguised)
    with pytest.raises(BadRequest):
        Reach().refuse(OpenAIChat().read(raw, {}))


async def test_an_operator_may_allow_both(opened: Open, provider: ScriptedProvider) -> None:
    async with opened(provider, account_ids=True, remote_tools=True) as gateway:
        for path, body in (IN_ACCOUNT["chat: a file"], REMOTE["chat"]):
            assert (await gateway.hear(body, path=path)).status == 200


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (CHAT, {"messages": user({"type": "file", "file": {"file_id": "file-1"}})}),
        (CHAT, {"models": ["dear"]}),
        (RESPONSES, {"input": "x", "tools": [MCP]}),
        (RESPONSES, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        (RESPONSES, {"input": "x", "prompt": {"id": "pmpt_1"}}),
    ],
)
async def test_a_line_of_a_batch_reaches_no_further(
    opened: Open, keeper: FileKeeper, url: str, body: dict[str, Any]
) -> None:
    async with opened(keeper, policy={"rules": [rule(), rule(obj="route:*")]}) as gateway:
        heard = await send(gateway, upload(line(1, url=url, **body)))
        assert (heard.status, keeper.files) == (400, {})
