"""What is no agent and is registered as one: how each kind is configured, in a file or in the registry."""

from typing import Annotated

from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, max_length=200)]
LongText = Annotated[str, Meta(max_length=32_768)]
Count = Annotated[int, Meta(ge=1)]


class SkillEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One skill of the card that is made for it."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


class ChatBridge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="chat"):
    """A chat endpoint that speaks as OpenAI's does. `url` is what its clients call the base address; without
    it the call goes back through the edge, with the agent's delegation token, and its cost counts for the
    chain.

    Of a conversation the last `memory_messages` are told again, as far as they fit into `memory_bytes`. An
    answer may have `max_answer_bytes` and take `seconds` as a whole.
    """

    model: Text
    url: str = ""
    system: LongText = ""
    description: LongText = ""
    skills: tuple[SkillEntry, ...] = ()
    memory_messages: Annotated[int, Meta(ge=0, le=1000)] = 40
    memory_bytes: Count = 65_536
    max_answer_bytes: Count = 1_048_576
    seconds: Annotated[float, Meta(gt=0)] = 600.0


class ToolsBridge(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="mcp"):
    """The MCP server that mcp_gateway knows as `server`. It is asked through the edge, with the agent's
    delegation token. Its tools are the skills, but for `skills` that are named here.
    """

    server: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=32)]
    description: LongText = ""
    skills: tuple[SkillEntry, ...] = ()
    max_answer_bytes: Count = 8_388_608
    seconds: Annotated[float, Meta(gt=0)] = 600.0


Bridge = ChatBridge | ToolsBridge
