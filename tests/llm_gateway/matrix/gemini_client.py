"""The official Google Gen AI SDK."""

import base64
from typing import Any

from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from tests.llm_gateway.matrix.heard import OUTPUT_SCHEMA, PNG, TOOL, TOOL_SCHEMA, Heard, run


class GeminiClient:
    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        options = types.HttpOptions(
            base_url=f"{url}/gemini", retry_options=types.HttpRetryOptions(attempts=1)
        )
        self._client: Any = genai.Client(api_key=key, http_options=options).aio
        function = {"name": TOOL, "description": "d", "parameters_json_schema": TOOL_SCHEMA}
        self._tools: Any = {"tools": [{"function_declarations": [function]}]}

    async def text(self) -> Heard:
        return await self._ask("Hi", {"system_instruction": "Be brief."})

    async def tools(self) -> Heard:
        off = {"automatic_function_calling": {"disable": True}}
        return await self._ask("Weather?", self._tools | off)

    async def image(self) -> Heard:
        picture = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
        return await self._ask([types.Part.from_text(text="See"), picture], {})

    async def structured(self) -> Heard:
        return await self._ask(
            "Who?", {"response_mime_type": "application/json", "response_json_schema": OUTPUT_SCHEMA}
        )

    async def thinking(self) -> Heard:
        return await self._ask(
            "Think", {"thinking_config": {"thinking_budget": 2048, "include_thoughts": True}}
        )

    async def loop(self) -> Heard:
        contents: list[Any] = [types.Content(role="user", parts=[types.Part.from_text(text="Weather?")])]
        config = self._tools | {"thinking_config": {"thinking_budget": 2048, "include_thoughts": True}}
        while True:
            reply = await self._client.models.generate_content(
                model=self._model, contents=contents, config=config
            )
            calls = reply.function_calls or []
            if not calls:
                return Heard(text=reply.text)
            contents.append(reply.candidates[0].content)
            results = [
                types.Part.from_function_response(name=call.name, response={"result": run(call.args)})
                for call in calls
            ]
            contents.append(types.Content(role="user", parts=results))

    async def stream(self) -> Heard:
        heard = Heard()
        try:
            async for chunk in await self._client.models.generate_content_stream(
                model=self._model, contents="Hi"
            ):
                heard.text += chunk.text or ""
                heard.pieces += bool(chunk.text)
                if chunk.usage_metadata:
                    _count(heard, chunk.usage_metadata)
        except (genai_errors.APIError, genai_errors.UnknownApiResponseError):
            heard.broken = True
        return heard

    async def _ask(self, contents: Any, config: Any) -> Heard:
        try:
            reply = await self._client.models.generate_content(
                model=self._model, contents=contents, config=config
            )
        except genai_errors.APIError as error:
            return Heard(status=error.code, words=error.message or "")
        parts = reply.candidates[0].content.parts or []
        heard = Heard(
            text="".join(part.text for part in parts if part.text and not part.thought),
            thinking="".join(part.text for part in parts if part.text and part.thought),
            calls=[(call.name, call.args) for call in reply.function_calls or []],
        )
        _count(heard, reply.usage_metadata)
        return heard

    async def close(self) -> None:
        await self._client.aclose()


def _count(heard: Heard, usage: Any) -> None:
    heard.tokens_in = usage.prompt_token_count or 0
    heard.tokens_out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
