"""Azure OpenAI: OpenAI's formats at a resource of one's own. A model is a deployment there, named in the
body where the address ends in `/openai/v1`, and in the path where an `api_version` says so.

Source: https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle
"""

from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from llm_gateway.config import ProviderSection
from llm_gateway.providers.openai_compatible import OpenAICompatible
from shared.clock import Clock
from shared.errors import UpstreamRefused
from shared.http_client import Reply

_V1, _DEPLOYMENTS = "/openai/v1", "/openai/deployments"
_KEY_HEADER = "api-key"
_FILTERED = "content_filter"


class _Inner(Struct, frozen=True):
    content_filter_result: dict[str, Any] = {}


class _Error(Struct, frozen=True):
    code: str | None = None
    message: str = ""
    innererror: _Inner | None = None


class _Answer(Struct, frozen=True):
    error: _Error


_decode = msgspec.json.Decoder(_Answer).decode


class AzureOpenAI(OpenAICompatible):
    def __init__(self, name: str, section: ProviderSection, clock: Clock | None = None) -> None:
        super().__init__(name, _settled(section), clock)

    def address(self, wire: str, model: str, *, stream: bool) -> str:
        address = super().address(wire, model, stream=stream)
        version = self.section.api_version
        if not version:
            return address
        base = self.section.base_url
        return f"{base}/{quote(model, safe='')}{address.removeprefix(base)}?api-version={quote(version)}"

    def refusal(self, reply: Reply, body: bytes) -> UpstreamRefused:
        safe = self.redacted(body)
        filtered = _filtered(safe)
        if filtered is None:
            return super().refusal(reply, safe)
        error = UpstreamRefused(
            f"the provider's content filter refused the request{filtered}",
            upstream_status=400,
            body=safe,
            retryable=False,
        )
        error.data = {"code": _FILTERED}
        return error


def _settled(section: ProviderSection) -> ProviderSection:
    """What Azure does in its own way, unless the section says otherwise. Tokens of Entra ID go out as
    `authorization`.
    """
    base = section.base_url.rstrip("/").removesuffix(_V1)
    header = section.key_header or _KEY_HEADER
    prefix = "Bearer " if header == "authorization" else ""
    return msgspec.structs.replace(
        section,
        base_url=base + (_DEPLOYMENTS if section.api_version else _V1),
        key_header=header,
        key_prefix=prefix if section.key_prefix is None else section.key_prefix,
        wires=section.wires
        or (("openai_chat",) if section.api_version else ("openai_chat", "openai_responses")),
    )


def _filtered(body: bytes) -> str | None:
    """What the filter objects to, None where this is not about it."""
    try:
        error = _decode(body).error
    except (ValueError, RecursionError):
        return None
    if error.code != _FILTERED:
        return None
    results = error.innererror.content_filter_result if error.innererror is not None else {}
    names = [name for name, result in results.items() if isinstance(result, dict) and result.get("filtered")]
    return f" ({', '.join(names)[:200]})" if names else ""
