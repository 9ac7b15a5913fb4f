"""What a caller is told about how its answer came about: one header, a dictionary of RFC 9651.

x-gatestack-answer: model="gpt-4o-2026", provider="openai", attempts=1, cache=miss, cost=46, overhead=1.2
"""

from llm_gateway.answer import Answer
from shared.account import Flight

Header = tuple[bytes, bytes]
NAME = b"x-gatestack-answer"


def told(flight: Flight, answer: Answer, upstream_us: int, *, whole: bool) -> Header:
    """`cost` is in micro-dollars and only known where the answer is `whole`; `overhead`, in milliseconds, is
    what has passed until now and was not the provider's time (`upstream_us`).
    """
    entry = flight.entry
    return NAME, line(
        model=entry.model,
        provider=entry.provider,
        attempts=entry.attempts,
        cache=entry.cache or "none",
        cost=entry.cost_micros if whole else None,
        overhead=(flight.elapsed_us() - upstream_us) / 1000,
        dropped=answer.dropped,
    )


def line(
    *,
    model: str,
    provider: str,
    attempts: int,
    cache: str,
    cost: int | None,
    overhead: float,
    dropped: tuple[str, ...] = (),
) -> bytes:
    told = [
        f'model="{_text(model)}"',
        f'provider="{_text(provider)}"',
        f"attempts={attempts}",
        f"cache={cache}",
    ]
    if cost is not None:
        told.append(f"cost={cost}")
    told.append(f"overhead={overhead:.1f}")
    if dropped:
        told.append(f'dropped="{_text(" ".join(dropped))}"')
    return ", ".join(told).encode()


def _text(text: str) -> str:
    """As a string of RFC 9651, which is ASCII: anything else is shown as a question mark."""
    seen = (
        text
        if text.isascii() and text.isprintable()
        else "".join(character if " " <= character <= "~" else "?" for character in text)
    )
    return seen.replace("\\", "\\\\").replace('"', '\\"')
