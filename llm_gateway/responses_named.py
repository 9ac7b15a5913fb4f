"""Items of earlier responses that a caller only names, as some SDKs do unless they are told to store nothing:
put where their names stand.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Raw, Struct

from llm_gateway.formats.openai_responses.references import response_of
from shared.errors import BadRequest, NotFound

Find = Callable[[Sequence[str]], Awaitable[Sequence[bytes]]]
_MOST = 128
_ID_MAX = 128


class _Item(Struct, frozen=True):
    id: str = ""


class _Response(Struct, frozen=True):
    output: list[Raw]


_list = msgspec.json.Decoder(list[Raw]).decode
_item = msgspec.json.Decoder(_Item).decode
_response = msgspec.json.Decoder(_Response).decode


async def filled(input: bytes, named: Sequence[tuple[int, str]], find: Find) -> bytes:
    """`input` with the items that are `named` in it, all of them ours. `find` has the responses of these
    names, empty where the caller may not see one. Raises NotFound, BadRequest, Unavailable.
    """
    ids = list(dict.fromkeys(response_of(id) for _, id in named))
    _refuse_many(ids)
    known = {name: item for body in await find(ids) if body for name, item in _output(body)}
    items = _list(input)
    for place, id in named:
        if id not in known:
            raise missing(place, id)
        items[place] = known[id]
    return msgspec.json.encode(items)


def _output(response: bytes) -> list[tuple[str, Raw]]:
    return [(_item(item).id, item) for item in _response(response).output]


def _refuse_many(names: Sequence[str]) -> None:
    if len(names) > _MOST:
        raise BadRequest(
            f"input: names items of more than {_MOST} responses; send them instead", data={"param": "input"}
        )


def missing(place: int, id: str) -> NotFound:
    return NotFound(
        f"input[{place}]: there is no item {id[:_ID_MAX]!r}: it was not stored, has expired, or is not "
        "yours; send the item itself",
        data={"param": f"input[{place}]"},
    )
