"""A neutral conversation as Anthropic takes it: the system's words at the top, then turns that alternate,
with the results of tools first in theirs.
"""

from llm_gateway.chat.request import Chat, Message
from llm_gateway.formats.anthropic.blocks import Block
from llm_gateway.formats.anthropic.written import blocks_of

Turn = tuple[str, list[Block]]


def conversation(chat: Chat, dropped: list[str], *, system_role: bool) -> tuple[list[Block], list[Block]]:
    """The blocks of the system and the messages. What the system says later keeps its place, as a message of
    its own with `system_role`, else as words of the user that say whose they are.
    """
    system: list[Block] = []
    turns: list[Turn] = []
    for message in chat.messages:
        blocks = _blocks(message, dropped)
        if message.role == "system":
            blocks = _words(blocks, dropped)
        if not blocks:
            continue
        if message.role == "system" and not turns:
            system += blocks
        elif message.role == "system" and not system_role:
            _add(turns, "user", [_marked(block) for block in blocks])
        else:
            _add(turns, message.role, blocks)
    if not turns and system:
        # Somebody must speak first: where only the system has spoken, its words are what is to be answered.
        system, turns = [], [("user", system)]
    return system, [{"role": role, "content": _ordered(blocks)} for role, blocks in turns]


def _blocks(message: Message, dropped: list[str]) -> list[Block]:
    if message.name:
        dropped.append("message.name")
    return blocks_of(message.parts, dropped)


def _words(blocks: list[Block], dropped: list[str]) -> list[Block]:
    """The system speaks in text only."""
    dropped += [f"system.{block['type']}" for block in blocks if block["type"] != "text"]
    return [block for block in blocks if block["type"] == "text"]


def _add(turns: list[Turn], role: str, blocks: list[Block]) -> None:
    if turns and turns[-1][0] == role:
        turns[-1][1].extend(blocks)
    else:
        turns.append((role, blocks))


def _marked(block: Block) -> Block:
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}


def _ordered(blocks: list[Block]) -> list[Block]:
    """Results of tools first; otherwise as it was."""
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")
