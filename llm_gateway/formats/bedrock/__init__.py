"""Amazon Bedrock's Converse: one form for all of its models, streamed as binary events.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Outbound
from llm_gateway.formats.bedrock.reply import read
from llm_gateway.formats.bedrock.request import request
from llm_gateway.formats.bedrock.stream import Decoder


class BedrockWire:
    """Replies have neither an id nor the model's name: both stay empty."""

    name = "bedrock"
    stream_type = "application/vnd.amazon.eventstream"

    def request(self, chat: Chat, model: str) -> Outbound:
        return request(chat, model)

    def reply(self, body: bytes) -> Reply:
        return read(body)

    def decoder(self) -> Decoder:
        return Decoder()
