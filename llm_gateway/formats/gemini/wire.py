"""Gemini as providers speak it.

Source: https://ai.google.dev/api/generate-content
"""

import msgspec

from llm_gateway.chat.events import Collector
from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Outbound
from llm_gateway.formats.gemini import options
from llm_gateway.formats.gemini.decoder import GeminiDecoder
from llm_gateway.formats.gemini.signature import ORIGIN
from llm_gateway.formats.gemini.turns import Turns
from shared.errors import BadRequest, UpstreamBroken


class GeminiWire:
    name = ORIGIN
    stream_type = "text/event-stream"

    def request(self, chat: Chat, model: str) -> Outbound:
        turns = Turns(chat, options.generation_of(model))
        members = {
            "contents": turns.contents,
            "systemInstruction": {"parts": turns.system} if turns.system else None,
            "tools": options.tools(chat),
            "toolConfig": options.tool_config(chat),
            "generationConfig": options.generation_config(chat, model),
            "serviceTier": chat.service_tier if chat.origin == ORIGIN else "",
        }
        given = {name: value for name, value in members.items() if value or name == "contents"}
        try:
            body = msgspec.json.encode(options.with_extra(given, chat))
        except UnicodeEncodeError as error:
            raise BadRequest("a text of the request holds half a character", cause=error) from error
        return Outbound(body=body, dropped=(*turns.dropped, *options.dropped(chat, model)))

    def reply(self, body: bytes) -> Reply:
        decoder, collector = GeminiDecoder(), Collector()
        for event in decoder.take(body):
            collector.add(event)
        try:
            for event in decoder.end():
                collector.add(event)
        except UpstreamBroken as error:
            raise UpstreamBroken(
                "the provider's answer holds no candidate that has ended", cause=error
            ) from error
        return collector.reply

    def decoder(self) -> GeminiDecoder:
        return GeminiDecoder()
