"""Files as tests send them, to a gateway before a provider that keeps them."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import openai
import pytest

from llm_gateway.endpoints.owned import Owned
from llm_gateway.files_owned import OwnedFiles
from shared.clock import Clock
from shared.redis_client import Redis
from tests.llm_gateway.conftest import Open
from tests.llm_gateway.gateway import Gateway, model_section, rule
from tests.support.endpoint_provider import FileKeeper

POLICY = {"rules": [rule(), rule(obj="route:*"), rule(obj="model:secret", eft="deny")]}
MODELS = {"fast": model_section(), "secret": model_section(aliases=[])}


def own_files(redis: Redis) -> OwnedFiles:
    return OwnedFiles(Owned(redis, Clock()), account_ids=False)


def line(number: int = 1, model: str = "fast", url: str = "/v1/chat/completions", **body: Any) -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": "hello"}], **body}
    request = {"custom_id": str(number), "method": "POST", "url": url, "body": asked}
    return msgspec.json.encode(request) + b"\n"


def form(*parts: tuple[str, bytes]) -> bytes:
    written = [b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n" % head.encode() for head, _ in parts]
    return b"".join(a + b + b"\r\n" for a, (_, b) in zip(written, parts, strict=True)) + b"--b--\r\n"


def upload(content: bytes, purpose: bytes = b"batch") -> bytes:
    return form(('name="purpose"', purpose), ('name="file"; filename="in.jsonl"', content))


async def send(gateway: Gateway, body: bytes, **more: Any) -> Any:
    headers = gateway.identity(more.pop("caller", None)) | {"content-type": "multipart/form-data; boundary=b"}
    return await gateway.hear(body, path="/v1/files", headers=headers)


@pytest.fixture
async def keeper() -> AsyncIterator[FileKeeper]:
    async with FileKeeper() as keeper:
        yield keeper


@pytest.fixture
async def gateway(opened: Open, keeper: FileKeeper) -> AsyncIterator[Gateway]:
    async with opened(
        keeper, accept=["identity", "key"], models=MODELS, policy=POLICY, max_body_bytes=100_000
    ) as gateway:
        yield gateway


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    secret, record = gateway.edge.key()
    await gateway.edge.keys(gateway.service.parts, [record])
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=secret, max_retries=0) as client:
        yield client
