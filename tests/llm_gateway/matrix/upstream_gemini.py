"""Gemini generateContent."""

import json
import secrets

from tests.llm_gateway.matrix.upstream import Calls
from tests.support import gemini_provider as wire
from tests.support import providers
from tests.support.providers import Behaviour, Call, Json

_STATUS = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


class GeminiUpstream:
    kind = "gemini"
    signs = True

    def section(self, base_url: str) -> Json:
        return {"kind": self.kind, "base_url": base_url.removesuffix("/v1")}

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour:
        parts = [wire.thought(thinking)] if thinking else []
        parts += [wire.text(text)] if text else []
        # As Google does it: the first call of a reply is signed, and there are no ids.
        parts += [
            wire.call(name, arguments, signature=wire.SIGNATURE if place == 0 else "")
            for place, (_, name, arguments) in enumerate(calls)
        ]
        # No two of Google's answers have the same id, and from that their calls get theirs.
        return wire.replying(*parts, response_id=f"resp-{secrets.token_hex(6)}")

    def streams(self, *pieces: str) -> Behaviour:
        return wire.replying(*(wire.text(piece) for piece in pieces))

    def cuts(self, *pieces: str) -> Behaviour:
        events = [wire.event(wire.answer([wire.text(piece)], finish=None)) for piece in pieces]
        return providers.sending(events, then=providers.cut)

    def refuses(self, status: int, message: str) -> Behaviour:
        return wire.refusing(status, _STATUS[status], message, retry="7s" if status == 429 else "")

    def image(self, call: Call) -> str:
        [data] = [part["inlineData"]["data"] for part in _parts(call) if "inlineData" in part]
        # Google's SDK writes base64 for URLs, and both forms are the same to Google.
        return str(data).replace("-", "+").replace("_", "/")

    def schema(self, call: Call) -> Json:
        config = call.json["generationConfig"]
        found: Json = config.get("responseJsonSchema") or config["response_json_schema"]
        return found

    def tool(self, call: Call) -> Json:
        declared = call.json["tools"][0]["functionDeclarations"][0]
        found: Json = declared.get("parametersJsonSchema") or declared["parameters_json_schema"]
        return found

    def results(self, call: Call) -> list[str]:
        answers = [
            part["functionResponse"]["response"] for part in _parts(call) if "functionResponse" in part
        ]
        return [
            next(iter(answer.values())) if isinstance(answer, dict) else json.dumps(answer)
            for answer in answers
        ]

    def signatures(self, call: Call) -> list[str]:
        return [part["thoughtSignature"] for part in _parts(call) if "thoughtSignature" in part]


def _parts(call: Call) -> list[Json]:
    return [part for content in call.json["contents"] for part in content["parts"]]
