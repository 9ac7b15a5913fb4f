"""An agent in the place of a model: a chat call as a message of A2A 1.0 over JSON-RPC, and what the agent
says as a reply. Agents have no sampling, no tools of their caller's and no tokens to count.

Source: https://a2a-protocol.org/latest/specification/
"""

from llm_gateway.chat.reply import Reply
from llm_gateway.chat.request import Chat
from llm_gateway.formats import Outbound
from llm_gateway.formats.a2a.request import request
from llm_gateway.formats.a2a.said import reply_of
from llm_gateway.formats.a2a.stream import Decoder


class A2AWire:
    """A reply's `id` is the agent's context, its `model` stays empty."""

    name = "a2a"
    # An error comes whole, also in the place of a stream.
    stream_type = ""

    def request(self, chat: Chat, model: str) -> Outbound:
        return request(chat)

    def reply(self, body: bytes) -> Reply:
        return reply_of(body)

    def decoder(self) -> Decoder:
        return Decoder()
