"""Anthropic Messages."""

from tests.llm_gateway.matrix.upstream import Calls
from tests.support import anthropic_provider as wire
from tests.support import providers
from tests.support.providers import Behaviour, Call, Json

_TYPES = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error"}


class AnthropicUpstream:
    kind = "anthropic"
    signs = True

    def section(self, base_url: str) -> Json:
        return {"kind": self.kind, "base_url": base_url.removesuffix("/v1")}

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        blocks: list[Json] = []
        if thinking:
            blocks.append({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"})
        if text:
            blocks.append({"type": "text", "text": text})
        blocks += [
            {"type": "tool_use", "id": call, "name": name, "input": arguments}
            for call, name, arguments in calls
        ]
        return wire.replies(*blocks, stop="tool_use" if calls else "end_turn")

    def streams(self, *pieces: str) -> Behaviour:
        return wire.streams(wire.events(wire.text_block(0, *pieces)))

    def cuts(self, *pieces: str) -> Behaviour:
        begun = wire.text_block(0, *pieces)[:-1]
        return providers.sending([wire.start(), *begun], then=providers.cut)

    def refuses(self, status: int, message: str) -> Behaviour:
        return wire.error(status, _TYPES[status], message=message, retry_after=7 if status == 429 else None)

    def image(self, call: Call) -> str:
        [data] = [block["source"]["data"] for block in _blocks(call, "image")]
        return str(data)

    def schema(self, call: Call) -> Json:
        found: Json = call.json["output_config"]["format"]["schema"]
        return found

    def tool(self, call: Call) -> Json:
        found: Json = call.json["tools"][0]["input_schema"]
        return found

    def results(self, call: Call) -> list[str]:
        results = [block["content"] for block in _blocks(call, "tool_result")]
        return [result if isinstance(result, str) else result[0]["text"] for result in results]

    def signatures(self, call: Call) -> list[str]:
        return [block["signature"] for block in _blocks(call, "thinking")]


def _blocks(call: Call, kind: str) -> list[Json]:
    return [
        block
        for message in call.json["messages"]
        for block in (message["content"] if isinstance(message["content"], list) else [])
        if block["type"] == kind
    ]
