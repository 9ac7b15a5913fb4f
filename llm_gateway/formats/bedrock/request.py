"""The neutral request as Converse's.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import re
from typing import Any

import msgspec

from llm_gateway.chat.request import Chat, Output
from llm_gateway.formats import Outbound
from llm_gateway.formats.anthropic.schema import closed
from llm_gateway.formats.bedrock.content import ORIGIN, Blocks
from llm_gateway.formats.bedrock.family import Settings, settings
from llm_gateway.formats.bedrock.tools import tool_config
from llm_gateway.formats.bedrock.turns import turns

Json = dict[str, Any]

_TIERS = frozenset(("default", "flex", "priority", "reserved"))
_NOTE = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_NOTES = 16
_JSON_WISH = {"text": "Answer with a single JSON object: no words around it, no code fence."}


def request(chat: Chat, model: str) -> Outbound:
    """Raises BadRequest."""
    blocks = Blocks()
    dropped = blocks.dropped
    spoken = turns(chat.messages, blocks)
    fit = settings(chat, model, dropped)
    members: Json = {
        "messages": spoken.messages,
        "system": [*spoken.system, _JSON_WISH] if chat.output.kind == "json" else spoken.system,
        "inferenceConfig": _inference(chat, fit),
        "toolConfig": tool_config(chat, dropped),
        "additionalModelRequestFields": fit.additional,
        "additionalModelResponseFieldPaths": fit.paths,
        "outputConfig": _output(chat.output, fit.effort),
        "serviceTier": _tier(chat.service_tier, dropped),
        "requestMetadata": _notes(chat.metadata, dropped),
    }
    dropped += _unsayable(chat)
    body = msgspec.json.encode({name: value for name, value in members.items() if value})
    return Outbound(body=body, dropped=tuple(dict.fromkeys(dropped)))


def _inference(chat: Chat, fit: Settings) -> Json:
    stop = [each for each in chat.stop if each]
    given = {
        "maxTokens": fit.max_tokens,
        "temperature": fit.temperature,
        "topP": fit.top_p,
        "stopSequences": stop or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _output(output: Output, effort: str) -> Json:
    told: Json = {"effort": effort} if effort else {}
    if output.kind == "schema":
        schema: Json = {"schema": msgspec.json.encode(closed(output.schema)).decode()}
        named = {"name": output.name} if output.name else {}
        told["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema | named}}
    return told


def _tier(tier: str, dropped: list[str]) -> Json | None:
    if tier in _TIERS:
        return {"type": tier}
    if tier not in ("", "auto"):
        dropped.append("service_tier")
    return None


def _notes(metadata: dict[str, str], dropped: list[str]) -> Json | None:
    """What Bedrock writes into its account's logs beside a call. It is strict about what that may be."""
    if not metadata:
        return None
    if len(metadata) <= _NOTES and all(
        name and _NOTE.fullmatch(name) and _NOTE.fullmatch(value) for name, value in metadata.items()
    ):
        return metadata
    dropped.append("metadata")
    return None


def _unsayable(chat: Chat) -> list[str]:
    asked = {
        "seed": chat.seed is not None,
        "presence_penalty": bool(chat.presence_penalty),
        "frequency_penalty": bool(chat.frequency_penalty),
        "n": chat.n > 1,
        "logprobs": chat.logprobs is not None,
        "user": bool(chat.user),
    }
    beyond = [] if chat.origin == ORIGIN else [f"extra.{name}" for name in chat.extra]
    return [name for name, wanted in asked.items() if wanted] + beyond
