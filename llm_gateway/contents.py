"""What of a part of a request a model gets to read: its texts, and how much its images, recordings and
documents are likely to be. Knows no dialect: it goes by what their JSON has in common.
"""

from typing import Any

from msgspec import Struct

# Not what anybody says: markers, ids and seals that never reach the model as text.
_UNREAD = frozenset(
    (
        *(
            "type",
            "role",
            "id",
            "call_id",
            "tool_call_id",
            "tool_use_id",
            "cache_control",
            "status",
            "object",
        ),
        *("signature", "thoughtSignature", "thought_signature", "encrypted_content", "format", "detail"),
        *("media_type", "mimeType", "mime_type", "file_id", "fileUri", "file_uri", "filename"),
    )
)
_IMAGES = frozenset(("image_url", "input_image", "image"))
_DATA = frozenset(("data", "url", "image_url", "file_data"))
# Shorter than any picture: a text that happens to stand under `data`.
_SHORTEST_DATA = 256
# By size, for nothing else is known without looking inside: a recording of 16 kB a second at ten tokens a
# second, a page of a document of 50 kB at two thousand tokens.
_IMAGE_TOKENS = 1_500
# All of them are looked at without a pause: two milliseconds.
_MOST_VALUES = 10_000
_BYTES_PER_AUDIO_TOKEN, _BYTES_PER_FILE_TOKEN = 1_600, 25


class Contents(Struct):
    """`audio` and `image` in tokens; documents count as image, which they are turned into."""

    texts: list[str]
    audio: int = 0
    image: int = 0


def contents(value: Any) -> Contents:
    """Raises ValueError where there is more in it than anybody could mean."""
    found = Contents([])
    waiting, left = [value], _MOST_VALUES
    while waiting:
        item = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError(f"more than {_MOST_VALUES} values in one part of a request")
        if isinstance(item, str):
            found.texts.append(item)
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += _of_object(item, found)
    return found


def _of_object(item: dict[str, Any], found: Contents) -> list[Any]:
    """What is still to be looked at. Names count too: they are part of a tool's schema or arguments."""
    if item.get("type") in _IMAGES:
        found.image += _IMAGE_TOKENS
        return []
    rest: list[Any] = []
    for name, value in item.items():
        if name in _DATA and isinstance(value, str) and _is_data(name, value):
            _attach(item, value, found)
        elif name not in _UNREAD:
            if isinstance(value, dict):
                found.texts.append(name)
            rest.append(value)
    return rest


def _is_data(name: str, value: str) -> bool:
    return value.startswith("data:") or (
        name == "data" and len(value) >= _SHORTEST_DATA and " " not in value[:256]
    )


def _attach(item: dict[str, Any], value: str, found: Contents) -> None:
    kind = value[5:64] if value.startswith("data:") else ""
    kind = kind or str(item.get("mimeType") or item.get("media_type") or item.get("mime_type") or "")
    size = len(value) * 3 // 4
    if kind.startswith("audio/") or (not kind and "format" in item):
        found.audio += max(1, size // _BYTES_PER_AUDIO_TOKEN)
    elif kind.startswith("image/"):
        found.image += _IMAGE_TOKENS
    else:
        found.image += max(_IMAGE_TOKENS, size // _BYTES_PER_FILE_TOKEN)
