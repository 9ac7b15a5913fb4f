"""Several keys of one provider: they take turns by weight, and one that is refused is set aside for a
while. The state is this process's own.

The headers of a call are the ticket that says which key is in them: `another(sent, reply)` tells that they
were refused and whether the call may be made again. A provider with one key has plain lists as headers and
pays nothing.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from llm_gateway.config import ProviderSection
from llm_gateway.providers.refusals import waits
from shared.asgi import Headers
from shared.clock import Clock
from shared.config import Secret
from shared.errors import UpstreamRefused
from shared.http_client import Reply

# The key is wrong, has no money, may not do this, or has used up its rate.
_KEYS_FAULT = frozenset((401, 402, 403, 429))
_LONGEST_SECONDS = 3600.0
_SHORTEST_SECONDS = 1.0


class Credentials(Protocol):
    def headers(self, passed: Headers) -> Headers:
        """A call's headers, `passed` among them. Raises UpstreamRefused when every key is set aside."""
        ...


class Single:
    """One key, or none: always the same list."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def headers(self, passed: Headers) -> Headers:
        return [*self._headers, *passed] if passed else self._headers


class Key:
    """`free_at` is when it may be used again, on the clock of its Several; `status` why it was set aside."""

    __slots__ = ("credit", "free_at", "headers", "status", "weight")

    def __init__(self, headers: Headers, weight: int) -> None:
        self.headers = headers
        self.weight = weight
        self.credit = 0
        self.free_at = 0.0
        self.status = 0


class Keyed(list[tuple[bytes, bytes]]):
    """Headers with one of several keys in them."""

    __slots__ = ("key", "several")

    def __init__(self, headers: Headers, key: Key, several: "Several") -> None:
        super().__init__(headers)
        self.key = key
        self.several = several


class Several:
    def __init__(self, keys: Sequence[Key], clock: Clock, *, cooldown: float) -> None:
        self._keys = keys
        self._clock = clock
        self._cooldown = cooldown

    def headers(self, passed: Headers) -> Headers:
        key = self._next()
        return Keyed([*key.headers, *passed], key, self)

    def refused(self, key: Key, status: int, retry_after: float | None) -> bool:
        """Sets `key` aside. Whether another one is free."""
        now = self._clock.monotonic()
        wanted = self._cooldown if retry_after is None else retry_after
        key.free_at = now + min(max(wanted, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        key.status = status
        return any(other.free_at <= now for other in self._keys)

    def _next(self) -> Key:
        """Turns are spread evenly: with weights 2 and 1 the order is a b a, not a a b."""
        now = self._clock.monotonic()
        free = [key for key in self._keys if key.free_at <= now]
        if not free:
            raise self._none_left(now)
        for key in free:
            key.credit += key.weight
        chosen = max(free, key=lambda key: key.credit)
        chosen.credit -= sum(key.weight for key in free)
        return chosen

    def _none_left(self, now: float) -> UpstreamRefused:
        busy = any(key.status == 429 for key in self._keys)
        return UpstreamRefused(
            "every key for the provider is set aside after it was refused",
            upstream_status=429 if busy else 502,
            retryable=True,
            retry_after=min(key.free_at for key in self._keys) - now,
        )


def credentials(
    section: ProviderSection, headers_with: Callable[[Secret], Headers], clock: Clock
) -> Credentials:
    """The provider's key or keys; `headers_with` makes the headers of one."""
    if not section.keys:
        return Single(headers_with(section.key))
    held = [Key(headers_with(each.key), each.weight) for each in section.keys]
    return Several(held, clock, cooldown=section.key_cooldown_seconds)


def another(sent: Headers, reply: Reply) -> bool:
    """Whether a call that was answered by `reply`, an error, may be made again at once with another key."""
    if not isinstance(sent, Keyed) or reply.status not in _KEYS_FAULT:
        return False
    return sent.several.refused(sent.key, reply.status, waits(reply))


def secrets_of(section: ProviderSection) -> list[bytes]:
    """What must never be quoted back to a caller: long enough to be a secret and not a word of the
    language.
    """
    own = [section.key, section.access_key, section.secret_key, section.session_token]
    held = [*own, *(each.key for each in section.keys), *section.headers.values()]
    return [text.encode() for secret in held if len(text := secret.reveal()) >= 6]
