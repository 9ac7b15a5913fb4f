"""Takes a server's own credential out of what the server says: some repeat the headers that they were sent,
and an agent must not read them there. What is written in another form than it was sent in is not found.
"""

from collections import OrderedDict

import msgspec
from msgspec import Raw

from mcp_gateway.credentials.credential import HeaderList, Owner
from shared.jsonrpc import Envelope

# Shorter values are no secrets, and would be found everywhere.
_SHORTEST = 8
_MOST = 4096
_VEIL = b"[credential]"


class Veil:
    """Remembers what was sent for whom last."""

    def __init__(self) -> None:
        self._sent: OrderedDict[Owner, tuple[HeaderList, tuple[bytes, ...]]] = OrderedDict()

    def remember(self, owner: Owner, headers: HeaderList) -> None:
        known = self._sent.get(owner)
        if known is None or known[0] != headers:
            self._sent[owner] = headers, tuple(secret for _, value in headers for secret in _secrets(value))
        self._sent.move_to_end(owner)
        if len(self._sent) > _MOST:
            self._sent.popitem(last=False)

    def over(self, owner: Owner, message: Envelope) -> Envelope:
        """`message` without what was sent for `owner`."""
        _, secrets = self._sent.get(owner, ([], ()))
        if not secrets:
            return message
        parts = {name: bytes(getattr(message, name)) for name in ("params", "result", "error")}
        if not any(secret in part for secret in secrets for part in parts.values()):
            return message
        for secret in secrets:
            parts = {name: part.replace(secret, _VEIL) for name, part in parts.items()}
        return msgspec.structs.replace(message, **{name: Raw(part) for name, part in parts.items()})


def _secrets(value: bytes | str) -> list[bytes]:
    """What must not be seen of a header's value, and of its last word, behind `Bearer` and the like: as JSON
    has it, and as JSON has JSON that is a text in it.
    """
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    found = []
    for word in (text, text.rpartition(" ")[2]):
        if len(word) >= _SHORTEST:
            once = msgspec.json.encode(word)[1:-1]
            twice = msgspec.json.encode(once.decode())[1:-1]
            found += [twice, once, once.replace(b"/", rb"\/")]
    # The longer before what is part of it, so that nothing is left of either.
    return list(dict.fromkeys(found))
