"""The public prices that came with this release: one file, read when somebody first asks."""

from functools import cache
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from llm_gateway.prices.price import Price

PATH = Path(__file__).parent / "table.json"


class Source(Struct, frozen=True, kw_only=True):
    """Whose price list it was."""

    package: str
    version: str
    licence: str


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a model. `context` and `max_out` are tokens, 0 where nobody says."""

    price: Price | None = None
    context: int = 0
    max_out: int = 0
    kind: str = "chat"


class Table(Struct, frozen=True, kw_only=True):
    """`models` are lines by `provider/model`, each decoded when it is asked for. `agreed` counts those whose
    price two sources give alike, `disputed` names those where they differ and the first one's stands.
    """

    as_of: str
    sources: tuple[Source, ...]
    agreed: int
    disputed: tuple[str, ...]
    models: dict[str, Raw]

    def line(self, name: str) -> Line | None:
        raw = self.models.get(name)
        return None if raw is None else _line(raw)


@cache
def table() -> Table:
    return msgspec.json.decode(PATH.read_bytes(), type=Table)


@cache
def by_model() -> dict[str, str]:
    """Each model's own name, without its maker, to a name in the table: for facts that are the same
    everywhere.
    """
    return {name.rpartition("/")[2]: name for name in reversed(list(table().models))}


_line = msgspec.json.Decoder(Line).decode
