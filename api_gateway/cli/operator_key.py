"""`gatestack keys operator`: the way back in for who has lost the operator's key. It asks no edge for leave:
who can write where the edge's keys lie may do anything already, and nobody else gets this far.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from api_gateway.cli.remote import CommandFailed
from api_gateway.cli.show import Output, lines
from api_gateway.cli.usage import AsJson, ConfigFile
from api_gateway.config import Section, problems
from api_gateway.control import Control
from api_gateway.operator_key import OPERATOR_KEY_FILE, NoKeys, StillGood, replace_operator_key
from shared.background import cancelled, owned
from shared.clock import Clock
from shared.config import ConfigProblems, Loaded, load
from shared.errors import Unavailable
from shared.identity.keys import KeyRecord
from shared.identity.principal import Caller, Principal
from shared.identity.signing import Signer
from shared.ledger.entry import Entry, Outcome, new_id
from shared.ledger.journal import Journal
from shared.ledger.writer import Ledger
from shared.limits.limiter import Limiter
from shared.policy import PolicyBox
from shared.redis_server import open_redis
from shared.snapshots import PUBLISHER, Snapshots
from shared.state_address import sql_address
from shared.store import Unmet, open_store
from shared.store.examine import examined


class _Desk(Struct, frozen=True):
    """What an edge keeps its keys and its ledger with."""

    control: Control
    ledger: Ledger


def operator(*, config: ConfigFile = "gatestack.yaml", as_json: AsJson = False) -> Output:
    """Make another operator's key where the one there was is lost, and revoke that. On the machine of an
    edge, as the user that runs it; whether the edge runs does not matter.

    Parameters
    ----------
    config
        The edge's configuration file: it says where its state and its signing keys are.
    """
    try:
        loaded = load(Path(config), PUBLISHER, Section, problems)
        _refuse_elsewhere(loaded)
        made, lost = asyncio.run(_replaced(loaded))
    except ConfigProblems as error:
        raise CommandFailed.told(str(error), error.problems) from error
    except Unavailable as error:
        raise CommandFailed(f"{error.detail}: {error.cause}" if error.cause else error.detail) from error
    key_file = str(_key_file(loaded))
    told = [f"the key of {made.sub} in {made.tenant} is in {key_file}"]
    told += [f"revoked: {', '.join(lost)}"] if lost else []
    return Output({"id": made.id, "key_file": key_file, "revoked": lost}, lines(*told), as_json=as_json)


def _refuse_elsewhere(loaded: Loaded[Section]) -> None:
    """Raises CommandFailed where this is not an edge's machine, or not the user that it runs as: files that
    we make there would be of no use to it.
    """
    if plane := loaded.shared.control.plane:
        raise CommandFailed(f"this edge has no keys of its own: its control plane is {plane}")
    state, keys = loaded.path(loaded.shared.state.dir), loaded.path(loaded.shared.identity.keys_dir)
    for folder, setting, there in (
        (state, "state.dir", state.is_dir()),
        (keys, "identity.keys_dir", any(keys.glob(f"{PUBLISHER}.*.pem"))),
    ):
        if not there:
            raise CommandFailed(f"no edge has run here: {folder} ({setting}) has nothing of one")
        if folder.stat().st_uid != os.geteuid():
            raise CommandFailed(f"{folder} belongs to somebody else: run this as the user that runs the edge")


async def _replaced(loaded: Loaded[Section]) -> tuple[KeyRecord, list[str]]:
    """Raises CommandFailed, Unavailable."""
    section, key_file = loaded.section, _key_file(loaded)
    if not (await examined(sql_address(loaded))).version:
        raise CommandFailed(_NO_KEYS)
    async with _opened(loaded) as desk:
        try:
            made, lost = await replace_operator_key(
                desk.control, key_file, section.operator, section.operator_tenant
            )
        except NoKeys as error:
            raise CommandFailed(_NO_KEYS) from error
        except StillGood as error:
            raise CommandFailed(f"the operator's key is not lost: the one in {key_file} is good") from error
        except Unmet as error:
            raise CommandFailed("somebody has changed the operator's key meanwhile: try again") from error
        await desk.ledger.close(_entry(desk.control, made, lost), None)
        await desk.control.publish(["keys"])
    return made, lost


_NO_KEYS = "there is no key yet: an edge makes the operator's at its first start"


@contextlib.asynccontextmanager
async def _opened(loaded: Loaded[Section]) -> AsyncIterator[_Desk]:
    """Raises Unavailable when Redis cannot be reached: nobody would hear of the keys, and nothing is
    changed.
    """
    shared, clock, state_dir = loaded.shared, Clock(), loaded.path(loaded.shared.state.dir)
    async with contextlib.AsyncExitStack() as stack:

        def background(work: Coroutine[Any, Any, None], name: str) -> None:
            stack.push_async_callback(partial(cancelled, owned(work, name, asyncio.Event())))

        redis = await open_redis(shared.state, state_dir, stack, background)
        signer = Signer.load_or_create(loaded.path(shared.identity.keys_dir), PUBLISHER)
        limiter = Limiter(redis, clock, lease_seconds=shared.state.lease_seconds)
        ledger = Ledger(limiter, Journal(state_dir / "journal"), signer, service=PUBLISHER, clock=clock)
        stack.push_async_callback(ledger.stop)
        store = open_store(sql_address(loaded))
        stack.push_async_callback(store.close)
        yield _Desk(Control(store, Snapshots(redis, None, clock), signer, PolicyBox(), clock), ledger)


def _entry(control: Control, made: KeyRecord, lost: list[str]) -> Entry:
    """Nobody has shown a credential, and no policy was asked: it says which user of which machine it was."""
    chain, where = new_id(), f"uid {os.getuid()} at {socket.gethostname()}"
    principal = Principal(sub=made.sub, tenant=made.tenant)
    return Entry(
        id=chain,
        service=PUBLISHER,
        started_at=control.now_us(),
        caller=Caller(principal=principal, actors=(made.sub,), chain=chain, credential="local"),
        resource="admin:keys",
        action="manage",
        method="gatestack keys operator",
        outcome=Outcome.COMPLETED,
        detail=f"made {made.id}, revoked {', '.join(lost) or 'none'}: {where}",
    )


def _key_file(loaded: Loaded[Section]) -> Path:
    return loaded.path(loaded.shared.state.dir) / OPERATOR_KEY_FILE
