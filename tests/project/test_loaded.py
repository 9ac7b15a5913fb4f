"""A gateway whose guards need no library of many megabytes loads none."""

import subprocess
import sys

import pytest

HEAVY = ("datafog_core", "re2", "numpy", "wordllama", "jsonschema_rs")
PROGRAM = """
import sys
import {service}.app
from {service}.config import Section, problems
problems(Section())
print(*(name for name in {heavy} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("service", "loaded"),
    [("llm_gateway", ["jsonschema_rs"]), ("mcp_gateway", ["jsonschema_rs"]), ("agent_gateway", [])],
)
def test_a_service_without_guards_loads_nothing_for_them(service: str, loaded: list[str]) -> None:
    program = PROGRAM.format(service=service, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.split() == loaded
