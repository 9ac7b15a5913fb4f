"""Where the demo keeps its state, which ports it takes, and what `demo/gatestack.yaml` is filled in with."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "demo" / "gatestack.yaml"
_STATE = ROOT / ".gatestack" / "demo"
_PORTS = {"API": 8080, "LLM": 8081, "MCP": 8082, "AGENT": 8083}
# The first of these whose key is set answers for the model `demo`; the local model stands behind it.
_PROVIDERS = {
    "OPENAI_API_KEY": ("openai", "gpt-4o-mini"),
    "ANTHROPIC_API_KEY": ("anthropic", "claude-haiku-4-5"),
    "GEMINI_API_KEY": ("gemini", "gemini-2.5-flash"),
}
_LOCAL = ("local", "smollm2")


class Settings(Struct, frozen=True, kw_only=True):
    """`environ` is what every process of the demo runs with."""

    state: Path
    url: str
    provider: str
    repository: Path
    environ: dict[str, str]

    def with_addresses(self, **urls: str) -> "Settings":
        """These settings once the processes that choose their own ports have started."""
        return Settings(
            state=self.state,
            url=self.url,
            provider=self.provider,
            repository=self.repository,
            environ=self.environ | {f"DEMO_{name.upper()}_URL": url for name, url in urls.items()},
        )


def settings(environ: Mapping[str, str]) -> Settings:
    """The demo's settings for this environment. Makes the state's folder, and a repository where there is
    none to read.
    """
    state = Path(environ.get("DEMO_STATE", "") or _STATE).resolve()
    state.mkdir(parents=True, exist_ok=True)
    (state / "spans.jsonl").unlink(missing_ok=True)
    ports = _free_ports()
    provider, model = next((known for key, known in _PROVIDERS.items() if environ.get(key)), _LOCAL)
    repository = _repository(state)
    filled = {f"DEMO_{name}_PORT": str(port) for name, port in ports.items()}
    filled |= {f"DEMO_{name}_URL": f"http://127.0.0.1:{port}" for name, port in ports.items()}
    filled |= {
        "DEMO_STATE": str(state),
        "DEMO_PYTHON": sys.executable,
        "DEMO_REPOSITORY": str(repository),
        "DEMO_PROVIDER": provider,
        "DEMO_MODEL": environ.get("DEMO_MODEL", "") or model,
        # git may be one that was installed beside the interpreter.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", ""))),
        "PYTHONPATH": str(ROOT),
    }
    return Settings(
        state=state,
        url=filled["DEMO_API_URL"],
        provider=provider,
        repository=repository,
        environ=dict(environ) | filled,
    )


def _free_ports() -> dict[str, int]:
    """The documented ports, or free ones where somebody has taken them."""
    held = []
    found = {}
    for name, wanted in _PORTS.items():
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", wanted))
        except OSError:
            one.bind(("127.0.0.1", 0))
        held.append(one)
        found[name] = one.getsockname()[1]
    for one in held:
        one.close()
    return found


def _repository(state: Path) -> Path:
    """The project's own repository, or a small one of the demo's where the project is no git checkout."""
    if _git(ROOT, "rev-parse", "--verify", "--quiet", "HEAD"):
        return ROOT
    made = state / "repository"
    if not _git(made, "rev-parse", "--verify", "--quiet", "HEAD"):
        made.mkdir(exist_ok=True)
        _git(made, "init", "--quiet")
        for change in ("Write the first page", "Explain how delegation narrows what an agent may do"):
            _git(made, "commit", "--quiet", "--allow-empty", "-m", change)
    return made


def _git(folder: Path, *words: str) -> bool:
    """Whether git did what it was told, in `folder` and with no settings of the user's."""
    who = ("-c", "user.name=Gatestack", "-c", "user.email=demo@gatestack.invalid", "-c", "safe.directory=*")
    command = ("git", "-C", str(folder), *who, *words)
    return folder.is_dir() and subprocess.run(command, capture_output=True, check=False).returncode == 0
