"""A file on its way to a provider while it arrives here: read part by part and written anew, lines of a
batch checked before they leave.
"""

from collections.abc import AsyncIterator

from llm_gateway.endpoints.batch_lines import BatchLines
from llm_gateway.multipart import Data, Event, FormReader, FormWriter, doubled, text_of
from llm_gateway.multipart_head import Head
from shared.asgi import Exchange
from shared.errors import BadRequest, ClientGone, GatestackError

FILE, PURPOSE = "file", "purpose"
_FIELD_BYTES, _FIELDS_BYTES = 4_096, 65_536


class Upload:
    """`purpose` is known after `begin`. `failure` is what ended it on the caller's side: an HTTP client
    could only tell that the connection it was writing to is of no more use.
    """

    def __init__(self, exchange: Exchange, cap: int) -> None:
        self.purpose = ""
        self.failure: Exception | None = None
        self._reader = FormReader(exchange.header("content-type") or "")
        self._writer = FormWriter()
        self._events = self._arriving(exchange, cap)
        self._fields: dict[str, bytes] = {}
        self._file: Head | None = None
        self._lines: BatchLines | None = None
        self._ready: list[bytes] = []
        self._next: Head | None = None
        self._late: list[str] = []
        self._over = False

    @property
    def content_type(self) -> bytes:
        return self._writer.content_type

    async def begin(self) -> None:
        """Reads up to the file. Raises BadRequest unless what it is for is said before it."""
        name = ""
        async for event in self._events:
            if isinstance(event, Data):
                self._extend(name, event.data)
                continue
            name = event.name
            if name == FILE:
                self._file = event
                break
            self._open(event)
        if self._file is None or self._file.filename is None:
            raise BadRequest("you must send a file named file", data={"param": FILE})
        self.purpose = text_of(PURPOSE, self._fields.get(PURPOSE, b"")).strip()
        if not self.purpose:
            raise BadRequest("you must say what the file is for, before the file", data={"param": PURPOSE})

    async def check(self, lines: BatchLines) -> None:
        """Has `lines` read the file; returns when it is known where it goes."""
        self._lines = lines
        while lines.provider is None and not self._over:
            event = await anext(self._events, None)
            if isinstance(event, Data):
                self._ready.append(await lines.feed(event.data))
            else:
                self._ready.append(await lines.end())
                self._next, self._over = event, True

    async def body(self) -> AsyncIterator[bytes]:
        """The form as the provider gets it. Raises what `failure` then holds too."""
        try:
            async for piece in self._written():
                if piece:
                    yield piece
        except (GatestackError, ClientGone) as error:
            self.failure = error
            raise

    async def _written(self) -> AsyncIterator[bytes]:
        assert self._file is not None
        for name, value in self._fields.items():
            yield self._writer.head(Head(name)) + value
        yield self._writer.head(self._file)
        for piece in self._ready:
            yield piece
        if not self._over:
            async for piece in self._rest_of_file():
                yield piece
        # What follows the file has been read by nobody who decides.
        name = self._later(self._next)
        async for event in self._events:
            if isinstance(event, Data):
                self._extend(name, event.data)
            else:
                name = self._later(event)
        for name in self._late:
            yield self._writer.head(Head(name)) + self._fields[name]
        yield self._writer.end()

    async def _rest_of_file(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            if isinstance(event, Head):
                self._next = event
                break
            yield await self._lines.feed(event.data) if self._lines is not None else event.data
        if self._lines is not None:
            yield await self._lines.end()

    def _later(self, head: Head | None) -> str:
        if head is None:
            return ""
        if head.name == FILE:
            raise doubled(FILE)
        self._open(head)
        self._late.append(head.name)
        return head.name

    def _open(self, head: Head) -> None:
        if head.name in self._fields:
            raise doubled(head.name)
        if head.filename is not None or (head.name.casefold() in (FILE, PURPOSE) and head.name != PURPOSE):
            raise BadRequest(f"{head.name} must be a plain field, and the one file is named file")
        self._fields[head.name] = b""

    def _extend(self, name: str, data: bytes) -> None:
        value = self._fields[name] = self._fields[name] + data
        if len(value) > _FIELD_BYTES or sum(map(len, self._fields.values())) > _FIELDS_BYTES:
            raise BadRequest(f"the field {name} of the form is too long", data={"param": name})

    async def _arriving(self, exchange: Exchange, cap: int) -> AsyncIterator[Event]:
        async for chunk in exchange.chunks(cap):
            for event in self._reader.feed(chunk):
                yield event
        self._reader.end()
