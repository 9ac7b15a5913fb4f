"""How many tokens a request may be, guessed from its bytes: cheap, because every call pays for it."""

import re

_BYTES_PER_TOKEN = 4
# An image or a recording in base64 is not text: it counts as a round number of tokens, not by its bytes.
_ATTACHED = re.compile(rb'"data"\s*:\s*"')
_ATTACHMENT_BYTES, _ATTACHMENT_TOKENS, _ATTACHMENTS_MAX = 4_096, 1_500, 256


def tokens(content: bytes) -> int:
    size = count = 0
    if len(content) > _ATTACHMENT_BYTES:
        at = 0
        while count < _ATTACHMENTS_MAX and (found := _ATTACHED.search(content, at)):
            end = content.find(b'"', found.end())
            if end - found.end() >= _ATTACHMENT_BYTES:
                size, count = size + end - found.end(), count + 1
            at = max(end, found.end())
    return max(0, len(content) - size) // _BYTES_PER_TOKEN + count * _ATTACHMENT_TOKENS
