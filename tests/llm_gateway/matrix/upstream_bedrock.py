"""Bedrock Converse."""

from tests.llm_gateway.matrix.upstream import Calls
from tests.support import bedrock_provider as wire
from tests.support import providers
from tests.support.providers import Behaviour, Call, Json

_KINDS = {400: "ValidationException", 429: "ThrottlingException", 500: "InternalServerException"}


class BedrockUpstream:
    kind = "bedrock"
    signs = True

    def section(self, base_url: str) -> Json:
        return {
            "kind": self.kind,
            "base_url": base_url.removesuffix("/v1"),
            "region": "eu-central-1",
            "access_key": "${KEY}",
            "secret_key": "${KEY}",
        }

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        content: list[Json] = []
        if thinking:
            told = {"text": thinking, "signature": "c2lnbmVk"}
            content.append({"reasoningContent": {"reasoningText": told}})
        content += [{"text": text}] if text else []
        content += [
            {"toolUse": {"toolUseId": call, "name": name, "input": arguments}}
            for call, name, arguments in calls
        ]
        return wire.converse(*content, reason="tool_use" if calls else "end_turn")

    def streams(self, *pieces: str) -> Behaviour:
        return wire.converse_stream(wire.text_events(pieces))

    def cuts(self, *pieces: str) -> Behaviour:
        return wire.converse_stream(wire.text_events(pieces)[: len(pieces) + 1], then=providers.cut)

    def refuses(self, status: int, message: str) -> Behaviour:
        return wire.refused(status, _KINDS[status], message)

    def image(self, call: Call) -> str:
        [image] = _blocks(call, "image")
        return str(image["source"]["bytes"])

    def schema(self, call: Call) -> Json:
        found: Json = call.json["outputConfig"]
        return found

    def tool(self, call: Call) -> Json:
        found: Json = call.json["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
        return found

    def results(self, call: Call) -> list[str]:
        return [result["content"][0]["text"] for result in _blocks(call, "toolResult")]

    def signatures(self, call: Call) -> list[str]:
        return [thought["reasoningText"]["signature"] for thought in _blocks(call, "reasoningContent")]


def _blocks(call: Call, kind: str) -> list[Json]:
    return [block[kind] for message in call.json["messages"] for block in message["content"] if kind in block]
