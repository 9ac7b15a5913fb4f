"""What a provider takes for a model: what the operator says, else what is public, else nobody knows."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from llm_gateway.prices.names import candidates, provider_at, table_provider
from llm_gateway.prices.price import UNKNOWN, Price, problems
from llm_gateway.prices.table import Line, by_model, table


class ModelFacts(Struct, frozen=True, kw_only=True):
    """Tokens that fit into a model and that it says at most, 0 where nobody knows. `kind` is chat, embedding,
    image, transcription, speech, rerank, moderation …
    """

    context: int
    max_out: int
    kind: str


class PriceBook:
    """`overrides` are prices by `provider/model` (the provider's name here or in the table) or by `model`."""

    def __init__(self, overrides: Mapping[str, Price] | None = None) -> None:
        self._overrides = {name.lower(): price for name, price in (overrides or {}).items()}

    @classmethod
    def read(cls, path: Path) -> "PriceBook":
        """A file of overrides, as JSON. Raises OSError, and ValueError that says what is wrong where."""
        prices = msgspec.json.decode(path.read_bytes(), type=dict[str, Price])
        wrong = [f"{name}.{problem}" for name, price in prices.items() for problem in problems(price)]
        if wrong:
            raise ValueError("; ".join(wrong))
        return cls(prices)

    def price(self, model: str, *, name: str, kind: str = "", base_url: str = "") -> Price:
        """What `model` costs at the provider `name` of `kind` at `base_url`; UNKNOWN where nobody says."""
        known = known_as(kind, base_url)
        for key in (f"{name}/{model}", f"{known}/{model}", model):
            found = self._overrides.get(key.lower())
            if found is not None:
                return found
        line = _line(known, model)
        return UNKNOWN if line is None or line.price is None else line.price


def facts(provider: str, model: str) -> ModelFacts | None:
    """What is known of a model whoever serves it; `provider` (a kind or the table's name) where its own
    differs.
    """
    line = _line(table_provider(provider), model)
    if line is None or not line.context:
        line = _anywhere(model) or line
    return None if line is None else ModelFacts(context=line.context, max_out=line.max_out, kind=line.kind)


def known_as(kind: str, base_url: str) -> str:
    """The table's name of a configured provider; "" for one that the table cannot know. What an operator
    calls it means nothing: a server of one's own may be named after anybody.
    """
    return provider_at(base_url) or ("" if kind in ("", "openai_compatible") else table_provider(kind))


def _line(provider: str, model: str) -> Line | None:
    if not provider:
        return None
    names = (f"{provider}/{name}" for name in candidates(model))
    return next((line for name in names if (line := table().line(name)) is not None), None)


def _anywhere(model: str) -> Line | None:
    known = by_model()
    names = (known.get(name.rpartition("/")[2]) for name in candidates(model))
    return next((line for name in names if name and (line := table().line(name)) is not None), None)
