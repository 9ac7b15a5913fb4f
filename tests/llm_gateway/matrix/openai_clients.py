"""The official OpenAI SDK, in both of its surfaces."""

import json
from typing import Any, ClassVar

import openai

from tests.llm_gateway.matrix.heard import OUTPUT_SCHEMA, PNG, TOOL, TOOL_SCHEMA, Heard, run, user


class OpenAIChatClient:
    TOOLS: ClassVar[Any] = [
        {"type": "function", "function": {"name": TOOL, "description": "d", "parameters": TOOL_SCHEMA}}
    ]

    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        self._client: Any = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    async def text(self) -> Heard:
        return await self._ask([{"role": "system", "content": "Be brief."}, user("Hi")])

    async def tools(self) -> Heard:
        return await self._ask([user("Weather?")], tools=self.TOOLS)

    async def image(self) -> Heard:
        url = {"url": f"data:image/png;base64,{PNG}"}
        return await self._ask(
            [user([{"type": "text", "text": "See"}, {"type": "image_url", "image_url": url}])]
        )

    async def structured(self) -> Heard:
        schema = {"name": "person", "schema": OUTPUT_SCHEMA, "strict": True}
        return await self._ask([user("Who?")], response_format={"type": "json_schema", "json_schema": schema})

    async def thinking(self) -> Heard:
        return await self._ask([user("Think")], reasoning_effort="high")

    async def loop(self) -> Heard:
        messages: list[Any] = [user("Weather?")]
        while True:
            reply = await self._client.chat.completions.create(
                model=self._model, messages=messages, tools=self.TOOLS, reasoning_effort="high"
            )
            message = reply.choices[0].message
            if not message.tool_calls:
                return Heard(text=message.content)
            # As most frameworks do: only what the SDK has types for.
            calls = [call.model_dump(include={"id", "type", "function"}) for call in message.tool_calls]
            messages.append({"role": "assistant", "content": message.content, "tool_calls": calls})
            messages += [
                {
                    "role": "tool",
                    "tool_call_id": call.id,
                    "content": run(json.loads(call.function.arguments)),
                }
                for call in message.tool_calls
            ]

    async def stream(self) -> Heard:
        heard = Heard()
        try:
            chunks = await self._client.chat.completions.create(
                model=self._model, messages=[user("Hi")], stream=True, stream_options={"include_usage": True}
            )
            async for chunk in chunks:
                for choice in chunk.choices:
                    heard.text += choice.delta.content or ""
                    heard.pieces += bool(choice.delta.content)
                if chunk.usage:
                    heard.tokens_in, heard.tokens_out = (
                        chunk.usage.prompt_tokens,
                        chunk.usage.completion_tokens,
                    )
        except openai.APIError:
            heard.broken = True
        return heard

    async def _ask(self, messages: Any, **more: Any) -> Heard:
        try:
            reply = await self._client.chat.completions.create(model=self._model, messages=messages, **more)
        except openai.APIStatusError as error:
            return Heard(status=error.status_code, words=error.message)
        message = reply.choices[0].message
        return Heard(
            text=message.content or "",
            thinking=getattr(message, "reasoning_content", None) or "",
            calls=[(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or []],
            tokens_in=reply.usage.prompt_tokens,
            tokens_out=reply.usage.completion_tokens,
        )

    async def close(self) -> None:
        await self._client.close()


class OpenAIResponsesClient:
    TOOLS: ClassVar[Any] = [
        {"type": "function", "name": TOOL, "description": "d", "parameters": TOOL_SCHEMA, "strict": True}
    ]

    def __init__(self, url: str, key: str, model: str) -> None:
        self._model = model
        self._client: Any = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)

    async def text(self) -> Heard:
        return await self._ask(instructions="Be brief.", input="Hi")

    async def tools(self) -> Heard:
        return await self._ask(input="Weather?", tools=self.TOOLS)

    async def image(self) -> Heard:
        parts = [
            {"type": "input_text", "text": "See"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        ]
        return await self._ask(input=[user(parts)])

    async def structured(self) -> Heard:
        form = {"type": "json_schema", "name": "person", "schema": OUTPUT_SCHEMA, "strict": True}
        return await self._ask(input="Who?", text={"format": form})

    async def thinking(self) -> Heard:
        return await self._ask(input="Think", reasoning={"effort": "high", "summary": "auto"})

    async def loop(self) -> Heard:
        items: list[Any] = [user("Weather?")]
        while True:
            reply = await self._client.responses.create(
                model=self._model,
                input=items,
                tools=self.TOOLS,
                store=False,
                reasoning={"effort": "high"},
                include=["reasoning.encrypted_content"],
            )
            calls = [item for item in reply.output if item.type == "function_call"]
            if not calls:
                return Heard(text=reply.output_text)
            items += [item.model_dump(exclude_none=True) for item in reply.output]
            items += [
                {
                    "type": "function_call_output",
                    "call_id": c.call_id,
                    "output": run(json.loads(c.arguments)),
                }
                for c in calls
            ]

    async def stream(self) -> Heard:
        heard = Heard()
        try:
            async for event in await self._client.responses.create(
                model=self._model, input="Hi", stream=True
            ):
                if event.type == "response.output_text.delta":
                    heard.text += event.delta
                    heard.pieces += 1
                elif event.type == "response.completed":
                    usage = event.response.usage
                    heard.tokens_in, heard.tokens_out = usage.input_tokens, usage.output_tokens
                elif event.type in ("response.failed", "error"):
                    heard.broken = True
        except openai.APIError:
            heard.broken = True
        return heard

    async def _ask(self, **more: Any) -> Heard:
        try:
            reply = await self._client.responses.create(model=self._model, **more)
        except openai.APIStatusError as error:
            return Heard(status=error.status_code, words=error.message)
        thoughts = [s.text for item in reply.output if item.type == "reasoning" for s in item.summary]
        return Heard(
            text=reply.output_text,
            thinking="".join(thoughts),
            calls=[(i.name, json.loads(i.arguments)) for i in reply.output if i.type == "function_call"],
            tokens_in=reply.usage.input_tokens,
            tokens_out=reply.usage.output_tokens,
        )

    async def close(self) -> None:
        await self._client.close()
