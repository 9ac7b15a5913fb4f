"""What "who can?" costs with 10,000 rules and 1,000 people who hold keys.

Asked of the survey itself, over every shape of rules, and of the admin API, which reads the keys from its
store first. `python -m tests.bench.who_can`.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from shared.identity.keys import KeyRecord, new_key
from shared.policy import Policy
from shared.policy.survey import Someone, survey_of
from shared.store.objects import new_key as kept_key
from tests.api_gateway.office import Office, opened
from tests.bench.policy import LARGE, SHAPES

PEOPLE, ROLES, SERVERS = 1_000, 200, 500
_ASKED = 25


async def measure(directory: Path) -> dict[str, dict[str, Any]]:
    surveyed = {name: _surveyed(name) for name in SHAPES}
    first, named, pattern = (max(taken) for taken in zip(*surveyed.values(), strict=True))
    async with opened(directory / "who_can", _policy()) as office:
        asked = await _asked(office)
    about = f"{LARGE} rules, {PEOPLE} people"
    return {
        "policy.who_can_ms": _line(named, f"p50 of the worst shape, one resource; {about}"),
        "policy.who_can_first_ms": _line(first, f"the first question after a change, worst shape; {about}"),
        "policy.who_can_pattern_ms": _line(pattern, f"all tools, worst shape; {about}"),
        "policy.who_can_api_ms": _line(asked, f"p50 through the admin API, client included; {about}"),
    }


def _surveyed(shape: str) -> tuple[float, float, float]:
    """Milliseconds of processor time: the first question, one about a resource, one about all tools."""
    rules, requests = SHAPES[shape](LARGE)
    policy = Policy.compile(rules, 1)
    tenant = requests[0][0].principal.tenant
    people = [Someone(name="user:alice", tenant=tenant, team="support", tier="gold")]
    people += [
        Someone(name=f"user:person-{number}", tenant=tenant, team="support", tier="gold")
        for number in range(1, PEOPLE)
    ]

    def taken(resource: str) -> float:
        began = time.process_time()
        survey_of(policy).who_can("invoke", resource, people)
        return (time.process_time() - began) * 1000

    first = taken(requests[0][1])
    named = statistics.median(taken(resource) for _, resource in requests[:_ASKED])
    return first, named, statistics.median(taken("tool:*") for _ in range(3))


def _policy() -> dict[str, Any]:
    """Two hundred roles of fifty rules, five people each."""
    rules = [
        {
            "id": f"r{number}",
            "sub": f"role:r{number % ROLES}",
            "dom": "acme",
            "obj": f"tool:server{number % SERVERS}/{'*' if number % 3 else 'search'}",
            "act": "invoke",
        }
        for number in range(LARGE)
    ]
    roles = [
        {"member": f"user:person-{number}", "role": f"role:r{number % ROLES}", "dom": "acme"}
        for number in range(PEOPLE)
    ]
    return {"rules": rules, "roles": roles}


async def _asked(office: Office) -> float:
    """Milliseconds of processor time: the edge, its store and the client share this process."""
    keys = [
        KeyRecord(**new_key()[1], sub=f"user:person-{number}", tenant="acme", team=f"team-{number % 50}")
        for number in range(PEOPLE)
    ]
    await office.store.write([kept_key(key) for key in keys])
    taken = []
    for number in range(_ASKED):
        question = {"resource": f"tool:server{number}/search", "action": "invoke", "tenant": "acme"}
        began = time.process_time()
        answer = await office.ask("POST", "/policy/who-can", question)
        taken.append((time.process_time() - began) * 1000)
        assert answer.status == 200, answer
        assert answer.body["who"]
    return statistics.median(taken)


def _line(value: float, about: str) -> dict[str, Any]:
    return {"value": round(value, 2), "unit": "ms", "ratio": None, "against": about}


async def _measured() -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="gsb") as name:
        return await measure(Path(name))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured()), indent=2))
    sys.exit(0)
