"""What a region tells the control plane of itself: which epochs its processes run, and how long ago the last
of them took the newest over.
"""

from api_gateway.regions.wire import Runs
from shared.clock import Clock
from shared.errors import Unavailable
from shared.roll_call import Replica, RollCall

# So long after a change the control plane is told often; then only what it waits for anyway.
_BUSY_SECONDS = 15.0
# By then every process has said what it runs since.
_SAID_SECONDS = 2.5
_MOST, _LONGEST = 16, 300
_State = tuple[dict[str, tuple[int, int]], list[str]]


class Report:
    def __init__(self, roll: RollCall, clock: Clock) -> None:
        self._roll = roll
        self._clock = clock
        self._told: _State = ({}, [])
        self._held: dict[str, int] = {}
        self._changed_at = clock.monotonic()

    async def made(self, held: dict[str, int]) -> tuple[dict[str, Runs], list[str], bool]:
        """How each snapshot stands, what is wrong, and whether nothing is left to be told: everybody has what
        is `held`, and the control plane knows.
        """
        try:
            replicas, now = await self._roll.ask()
        except Unavailable as error:
            return {}, [error.detail], False
        here = [one for one in replicas if not one.is_gone(now)]
        runs = {
            name: standing for name, epoch in held.items() if (standing := runs_of(name, epoch, here, now))
        }
        problems = _problems(here)
        state = ({name: (run.epoch, run.processes) for name, run in runs.items()}, problems)
        if held != self._held:
            self._held, self._changed_at = dict(held), self._clock.monotonic()
        behind = any(run.epoch < held[name] for name, run in runs.items())
        since = self._clock.monotonic() - self._changed_at
        settled = since > _BUSY_SECONDS or (since > _SAID_SECONDS and not behind and state == self._told)
        self._told = state
        return runs, problems, settled


def runs_of(name: str, newest: int, here: list[Replica], now: int) -> Runs | None:
    """None where nobody obeys it. `now` by the region's Redis."""
    obeying = [one for one in here if name in one.epochs]
    if not obeying:
        return None
    lowest = min(one.epochs[name] for one in obeying)
    # Who has started since took it over as it came up: that tells nothing of how fast it got round.
    there = [one for one in obeying if one.epochs[name] == newest and one.started_at < newest * 1000]
    taken = [one.taken[name] - one.skew_ms * 1000 for one in there if name in one.taken]
    ago = max(0.0, (now - max(taken)) / 1000) if taken and lowest == newest else None
    return Runs(epoch=lowest, processes=len(obeying), ago_ms=ago)


def _problems(here: list[Replica]) -> list[str]:
    found = [f"{one.service} on {one.host}: {problem}" for one in here for problem in one.problems]
    return [problem[:_LONGEST] for problem in found[:_MOST]]
