"""Checks of a stack, each a question that an operator would ask: the literal list of those that need no
running edge.
"""

from collections.abc import Awaitable, Callable

from api_gateway.doctor.files import secrets, state_folder
from api_gateway.doctor.finding import Case, Finding
from api_gateway.doctor.network import certificates, upstreams
from api_gateway.doctor.programs import programs
from api_gateway.doctor.state import database, redis

Check = Callable[[Case], Awaitable[list[Finding]]]

CHECKS: tuple[Check, ...] = (state_folder, secrets, redis, database, certificates, programs, upstreams)


async def examine(case: Case) -> list[Finding]:
    return [finding for check in CHECKS for finding in await check(case)]
