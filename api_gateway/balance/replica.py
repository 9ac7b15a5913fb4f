"""One address that a pool may send to, and what is known of how it does."""

from shared.egress import Destination


class Replica:
    """`url` is what goes before the path; `pinned` fixes the number behind its name. `share` is its weight as
    far as it has warmed up, set anew before each choice.
    """

    __slots__ = (
        "credit",
        "ejected_until",
        "ejections",
        "failures",
        "in_flight",
        "leaving",
        "pinned",
        "probes",
        "share",
        "up",
        "url",
        "warm_from",
        "weight",
    )

    def __init__(
        self,
        url: str,
        *,
        pinned: Destination | None = None,
        weight: float = 1.0,
        warm_from: float | None = None,
    ) -> None:
        self.url = url
        self.pinned = pinned
        self.weight = self.share = weight
        # None: it was there from the start and has nothing to warm up for.
        self.warm_from = warm_from
        self.up, self.leaving = True, False
        self.in_flight = self.failures = self.ejections = self.probes = 0
        self.ejected_until = self.credit = 0.0

    @property
    def name(self) -> str:
        return f"{self.url} {self.pinned.ip}" if self.pinned is not None else self.url

    def ready(self, now: float) -> bool:
        return self.up and not self.leaving and now >= self.ejected_until

    def warmth(self, now: float, slow_start: float) -> float:
        """From a tenth to 1 in the `slow_start` seconds after it has come or come back."""
        began = self.warm_from if not self.ejected_until else max(self.warm_from or 0.0, self.ejected_until)
        if began is None or not slow_start:
            return 1.0
        return min(1.0, max(0.1, (now - began) / slow_start))
