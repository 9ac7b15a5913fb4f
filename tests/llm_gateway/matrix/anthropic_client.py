"""The official Anthropic SDK."""

from typing import Any, ClassVar

import anthropic

from tests.llm_gateway.matrix.heard import OUTPUT_SCHEMA, PNG, TOOL, TOOL_SCHEMA, Heard, run, user


class AnthropicClient:
    TOOLS: ClassVar[Any] = [{"name": TOOL, "description": "d", "input_schema": TOOL_SCHEMA}]
    THINKING: ClassVar[Any] = {"type": "enabled", "budget_tokens": 2048}

    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        self._client: Any = anthropic.AsyncAnthropic(base_url=f"{url}/anthropic", api_key=key, max_retries=0)

    async def text(self) -> Heard:
        return await self._ask([user("Hi")], system="Be brief.")

    async def tools(self) -> Heard:
        return await self._ask([user("Weather?")], tools=self.TOOLS)

    async def image(self) -> Heard:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        return await self._ask([user([{"type": "text", "text": "See"}, {"type": "image", "source": source}])])

    async def structured(self) -> Heard:
        form = {"type": "json_schema", "schema": OUTPUT_SCHEMA}
        return await self._ask([user("Who?")], output_config={"format": form})

    async def thinking(self) -> Heard:
        return await self._ask([user("Think")], thinking=self.THINKING)

    async def loop(self) -> Heard:
        messages: list[Any] = [user("Weather?")]
        while True:
            reply = await self._client.messages.create(
                model=self._model,
                max_tokens=4096,
                messages=messages,
                tools=self.TOOLS,
                thinking=self.THINKING,
            )
            calls = [block for block in reply.content if block.type == "tool_use"]
            if not calls:
                return Heard(text="".join(block.text for block in reply.content if block.type == "text"))
            messages.append(
                {"role": "assistant", "content": [b.model_dump(exclude_none=True) for b in reply.content]}
            )
            results = [{"type": "tool_result", "tool_use_id": c.id, "content": run(c.input)} for c in calls]
            messages.append({"role": "user", "content": results})

    async def stream(self) -> Heard:
        heard = Heard()
        try:
            async with self._client.messages.stream(
                model=self._model, max_tokens=4096, messages=[user("Hi")]
            ) as stream:
                async for piece in stream.text_stream:
                    heard.text += piece
                    heard.pieces += 1
                usage = (await stream.get_final_message()).usage
                heard.tokens_in = usage.input_tokens + (usage.cache_read_input_tokens or 0)
                heard.tokens_in += usage.cache_creation_input_tokens or 0
                heard.tokens_out = usage.output_tokens
        except anthropic.APIError:
            heard.broken = True
        return heard

    async def _ask(self, messages: Any, **more: Any) -> Heard:
        try:
            reply = await self._client.messages.create(
                model=self._model, max_tokens=4096, messages=messages, **more
            )
        except anthropic.APIStatusError as error:
            return Heard(status=error.status_code, words=error.message)
        usage = reply.usage
        cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
        return Heard(
            text="".join(block.text for block in reply.content if block.type == "text"),
            thinking="".join(block.thinking for block in reply.content if block.type == "thinking"),
            calls=[(block.name, block.input) for block in reply.content if block.type == "tool_use"],
            tokens_in=usage.input_tokens + cached,
            tokens_out=usage.output_tokens,
        )

    async def close(self) -> None:
        await self._client.close()
