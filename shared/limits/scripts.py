"""The Lua scripts of the limiter, put together from the files beside this one."""

from functools import cache
from pathlib import Path

from shared.redis_client import Script


@cache
def reserve_script() -> Script:
    return Script(source("counters.lua", "reserve.lua"))


@cache
def settle_script() -> Script:
    return Script(source("counters.lua", "settle.lua"))


@cache
def taint_script() -> Script:
    return Script(source("taint.lua"))


def source(*names: str) -> str:
    return "\n".join((Path(__file__).parent / name).read_text() for name in names)
