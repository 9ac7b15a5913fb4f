"""Each service starts as its container would start it: with its own code, libraries and environment."""

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml

from tests.project.dockerfile import lay_out
from tests.project.test_lock import pins
from tests.project.tree import ROOT, SERVICES

# A cold start compiles and imports a service and all its libraries; on a busy machine that takes its time.
PATIENCE = 25
ALONE = """
state: { dir: state }
identity: { keys_dir: keys }
"""


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def image(service: str, tmp_path: Path) -> Path:
    """A folder with what the image holds: `app` is its code, `libraries` what its lock installs."""
    (tmp_path / "app").mkdir()
    (tmp_path / "libraries").mkdir()
    lay_out(ROOT / "deploy" / f"{service}.Dockerfile", tmp_path / "app")
    for path in _installed(service):
        (tmp_path / "libraries" / path.name).symlink_to(path)
    return tmp_path


async def start(image: Path, service: str, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    # Without `site`, what is installed beside these tests and this very checkout are out of sight.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-m", service, *arguments),
        cwd=image / "app",
        env={
            "PYTHONPATH": str(image / "libraries"),
            "PATH": "/usr/bin:/bin",
            "HOME": str(image),
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(image: Path, service: str, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    process = await start(image, service, *arguments, **environment)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, out.decode(), err.decode()


async def test_it_knows_what_it_is(image: Path, service: str) -> None:
    code, out, err = await run(image, service, "--help")
    assert (code, err) == (0, "")
    assert f"python -m {service}" in out


async def test_it_prints_the_schema_of_its_configuration(image: Path, service: str) -> None:
    code, out, err = await run(image, service, "--schema")
    assert (code, err) == (0, "")
    assert set(msgspec.json.decode(out)) == {"shared", "own"}


async def test_it_accepts_the_configuration_and_environment_that_compose_gives_it(
    image: Path, service: str
) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    environment = _interpolated(compose["services"][service]["environment"])
    code, out, err = await run(
        image, service, "--check", GATESTACK_CONFIG=str(ROOT / "deploy" / "gatestack.yaml"), **environment
    )
    assert (code, out, err) == (0, "", "")


@pytest.mark.timeout(90)
async def test_it_starts_answers_and_stops(image: Path, service: str) -> None:
    (image / "gatestack.yaml").write_text(ALONE)
    process = await start(
        image, service, "--bind", "127.0.0.1:0", GATESTACK_CONFIG=str(image / "gatestack.yaml")
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        listening = re.fullmatch(rf"{service} listens on (http://\S+)\n", line)
        assert listening, line or (await process.communicate())[1].decode()
        async with httpx.AsyncClient(timeout=10) as client:
            assert (await client.get(f"{listening[1]}/healthz")).status_code == 200
            assert (await client.get(f"{listening[1]}/.well-known/jwks.json")).json()["keys"]
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0, err.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def _installed(service: str) -> set[Path]:
    """The files and folders at the top of site-packages that the service's locked libraries consist of."""
    found = set()
    for name in pins(service):
        with contextlib.suppress(metadata.PackageNotFoundError):  # locked for another version of Python
            distribution = metadata.distribution(name)
            tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
            found |= {Path(str(distribution.locate_file(top))) for top in tops}
    return found


def _interpolated(environment: Mapping[str, str]) -> dict[str, str]:
    """What compose would make of it on a machine where only the obligatory variables are set."""
    defaults = {name: value.partition(":-") for name, value in environment.items()}
    return {name: default.rstrip("}") if dash else "chosen" for name, (_, dash, default) in defaults.items()}
