"""An edge with its operator, for tests of what operators ask and order; and the command line against it."""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from api_gateway import cli
from api_gateway.app import SERVICE
from api_gateway.control import Control
from api_gateway.operator_key import OPERATOR_KEY_FILE
from shared.http_client import HttpClient
from shared.ledger.entry import Entry
from shared.store import Store
from tests.support.rows import chained
from tests.support.serve import Running, running
from tests.support.stack import OPERATOR_ROLE, OPERATOR_RULE
from tests.support.wait import eventually


class Answer(Struct, frozen=True):
    status: int
    body: Any
    headers: dict[str, str]


class Said(Struct, frozen=True):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Office(Struct, frozen=True):
    edge: Running
    http: HttpClient
    key_file: Path

    @property
    def control(self) -> Control:
        control: Control = self.edge.app.state.control
        return control

    @property
    def store(self) -> Store:
        return self.control.store

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", if_match: str = ""
    ) -> Answer:
        secret = key or self.key_file.read_text().strip()
        headers = [("authorization", f"Bearer {secret}"), ("content-type", "application/json")]
        headers += [("if-match", if_match)] if if_match else []
        sent = b"" if body is None else msgspec.json.encode(body)
        url = f"{self.edge.url}/admin/api{path}"
        async with await self.http.send(method, url, headers=headers, body=sent) as reply:
            told = {name.decode().lower(): value.decode() for name, value in reply.headers}
            return Answer(reply.status, msgspec.json.decode(await reply.read(2**24)), told)

    async def key(self, sub: str, tenant: str, **more: Any) -> str:
        made = await self.ask("POST", "/keys", {"sub": sub, "tenant": tenant, **more})
        assert made.status == 201, made.body
        return str(made.body["secret"])

    async def remember(self, calls: Sequence[Entry], writer: str = "llm_gateway-w") -> None:
        await self.store.append(chained(list(calls), writer))

    async def say(self, *argv: str) -> Said:
        """Runs `gatestack` as its operator would."""
        return await asyncio.to_thread(said, *argv, "--url", self.edge.url, "--key-file", str(self.key_file))


def said(*argv: str) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(list(argv))
    return Said(code, out.getvalue(), err.getvalue())


@contextlib.asynccontextmanager
async def opened(
    directory: Path, policy: dict[str, Any] | None = None, sql: str = "", **more: Any
) -> AsyncIterator[Office]:
    """`policy` on top of what its operator may do; `sql` is another database than the embedded one; `more`
    are other sections.
    """
    policy = policy or {}
    sections: dict[str, Any] = {
        **more,
        "policy": {
            **policy,
            "rules": [OPERATOR_RULE, *policy.get("rules", [])],
            "roles": [OPERATOR_ROLE, *policy.get("roles", [])],
        },
    }
    if sql:
        state = directory / "api_gateway" / "state"
        sections["state"] = {"dir": str(state), "redis": "embedded", "sql": sql}
    async with running(SERVICE, sections, directory) as edge:
        key_file = edge.parts.state_dir / OPERATOR_KEY_FILE
        await eventually(key_file.exists, "the operator's key")
        await eventually(lambda: bool(key_file.read_text()), "the operator's key, written")
        known = {"keys", "kills", "policy"}
        await eventually(lambda: known <= edge.parts.snapshots.epochs().keys(), "the start")
        http = HttpClient()
        try:
            yield Office(edge, http, key_file)
        finally:
            await http.close()
