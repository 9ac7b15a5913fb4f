"""An answer over HTTP that was read to its end."""

from typing import Any, Self

import msgspec
from msgspec import Struct

from shared.http_client import Reply

_MOST = 2**27


class Answer(Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    async def of(cls, reply: Reply) -> Self:
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        return cls(reply.status, headers, await reply.read(_MOST))

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)
