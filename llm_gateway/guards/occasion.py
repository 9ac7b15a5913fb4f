"""What guards are told of a chat: the request in neutral form, beside what every guard is told."""

from llm_gateway.chat.request import Chat
from shared.guards.verdict import Occasion


class ChatOccasion(Occasion, frozen=True, kw_only=True):
    chat: Chat


def occasion_of(chat: Chat) -> ChatOccasion:
    return ChatOccasion(
        target=chat.model, json=chat.output.kind != "text", reply="the model's reply", chat=chat
    )
