"""Redis and the database: do they answer, and do they keep what they are given?"""

from api_gateway.doctor.finding import Case, Finding, worst
from shared.errors import BadRequest, Unavailable
from shared.redis_client import Redis, RedisError
from shared.roll_call import redis_time
from shared.state_address import redis_address, sql_address
from shared.store.examine import examined
from shared.valkey import embedded_url

_SKEW_US = 1_000_000
_SERVED = "start it, or put state.redis right"


async def redis(case: Case) -> list[Finding]:
    state = case.loaded.shared.state
    url = embedded_url(case.loaded.path(state.dir)) if state.redis == "embedded" else redis_address(state)
    try:
        client = await Redis.connect(url)
    except (Unavailable, ValueError, BadRequest) as error:
        do = "`gatestack up` starts it" if state.redis == "embedded" else _SERVED
        return [Finding(level="error", check="redis", what=str(error), do=do)]
    try:
        return worst(
            await _asked(client, case), "redis", "it answers, keeps what it is given, and is on time"
        )
    except (Unavailable, RedisError) as error:
        return [Finding(level="error", check="redis", what=str(error), do=_SERVED)]
    finally:
        await client.close()


async def _asked(client: Redis, case: Case) -> list[Finding]:
    found = []
    ahead = case.clock.now_us() - await redis_time(client.execute)
    if abs(ahead) > _SKEW_US:
        what = f"this machine's clock is {ahead / 1e6:+.1f} s off Redis's"
        found.append(
            Finding(level="error", check="clock", what=what, do="set both by NTP: tokens depend on it")
        )
    settings = await _settings(client)
    if settings.get("appendonly") == "no":
        do = "set appendonly yes: what it loses is gone from the ledger and from budgets"
        found.append(Finding(level="warning", check="redis", what="it keeps nothing over a restart", do=do))
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        do = "set maxmemory-policy noeviction: what it throws away are limits and ledger rows"
        found.append(Finding(level="error", check="redis", what=f"maxmemory-policy is {policy}", do=do))
    return found


async def _settings(client: Redis) -> dict[str, str]:
    """Empty where the server does not let us look, as those of cloud providers do not."""
    try:
        return {
            name: (await client.execute("CONFIG", "GET", name))[1].decode()
            for name in ("appendonly", "maxmemory-policy")
        }
    except (RedisError, IndexError):
        return {}


async def database(case: Case) -> list[Finding]:
    try:
        there = await examined(sql_address(case.loaded))
    except (Unavailable, BadRequest) as error:
        do = "start it, or put state.sql right"
        return [Finding(level="error", check="database", what=error.detail, do=do)]
    if there.version > there.known:
        what = f"it is at schema {there.version}, this release knows {there.known}"
        return [Finding(level="error", check="database", what=what, do="run the newer release")]
    if there.version < there.known:
        what = f"it is at schema {there.version} of {there.known}"
        do = "nothing: the edge brings it up to date when it starts"
        return [Finding(level="ok", check="database", what=what, do=do)]
    return [Finding(level="ok", check="database", what=f"it answers, at schema {there.version}")]
