"""What of a request a router looks at: bounded pieces of text, and counts."""

from collections.abc import Iterator

from llm_gateway.chat.parts import AnyPart, Text
from llm_gateway.chat.request import Chat, Message

# What comes later in a very long message changes neither its language nor its difficulty.
LONGEST = 4_000


def last_words(chat: Chat) -> str:
    """The text of the last user message that has any."""
    return next((words for message in reversed(chat.messages) if (words := _said(message))), "")


def parts_of(chat: Chat) -> Iterator[AnyPart]:
    for message in chat.messages:
        yield from message.parts


def _said(message: Message) -> str:
    if message.role != "user":
        return ""
    texts, left = [], LONGEST
    for part in message.parts:
        if isinstance(part, Text) and left > 0:
            texts.append(part.text[:left])
            left -= len(part.text)
    return " ".join(texts).strip()
