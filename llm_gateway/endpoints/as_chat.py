"""A call of another endpoint, as those read it who know chats: guards, and conditions of routing rules."""

from llm_gateway.chat.parts import Text
from llm_gateway.chat.request import Chat, Message
from llm_gateway.endpoints.endpoint import Endpoint, Inquiry


def as_chat(inquiry: Inquiry) -> Chat:
    """All its texts, as one message of a user's."""
    said = Message(role="user", parts=tuple(Text(text=text) for text in inquiry.texts))
    return Chat(origin="texts", model=inquiry.model, messages=(said,))


class Inquired:
    """`spoken` is the endpoint: what conditions read as the dialect."""

    def __init__(self, endpoint: Endpoint, inquiry: Inquiry) -> None:
        self.spoken = endpoint
        self.ask = inquiry

    @property
    def chat(self) -> Chat:
        return as_chat(self.ask)
