"""A guess at how many tokens a request's bytes are, cheap enough for every call."""

from msgspec import Raw

_BYTES_PER_TOKEN = 4
# An image or a document in base64 is not text: it counts as a round number of tokens, not by its bytes.
_MEMBER = b'"data"'
_ATTACHMENT_BYTES, _ATTACHMENT_TOKENS, _ATTACHMENTS_MAX = 4_096, 1_500, 256
_CONTENT = ("system", "messages", "tools")
_NOTHING = Raw()


def tokens_in(members: dict[str, Raw]) -> int:
    count = size = 0
    for name in _CONTENT:
        content = members.get(name, _NOTHING)
        size += len(memoryview(content))
        if name == "messages" and len(memoryview(content)) > _ATTACHMENT_BYTES:
            attached = _attached(bytes(content))
            count, size = count + len(attached), size - sum(attached)
    return size // _BYTES_PER_TOKEN + count * _ATTACHMENT_TOKENS


def _attached(messages: bytes) -> list[int]:
    """The sizes of the long strings that are some member's `data`; only so many, for this must stay cheap."""
    sizes: list[int] = []
    at = messages.find(_MEMBER)
    for _ in range(_ATTACHMENTS_MAX):
        if at < 0:
            break
        start = messages.find(b'"', at + len(_MEMBER))
        end = messages.find(b'"', start + 1)
        if end - start >= _ATTACHMENT_BYTES:
            sizes.append(end - start)
        at = messages.find(_MEMBER, at + len(_MEMBER))
    return sizes
