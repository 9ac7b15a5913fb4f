"""The operator's key: the one that an empty store begins with, so that somebody can make the others, and the
one that takes its place when it is lost.
"""

import re
from pathlib import Path

from api_gateway.control import Control
from shared.identity.keys import KeyRecord, hash_of, new_key
from shared.ledger.entry import new_id
from shared.replace_file import replace_file
from shared.store.objects import Kept, revoked_key
from shared.store.objects import new_key as new_key_write

# Below the state directory: its secret.
OPERATOR_KEY_FILE = "operator.key"
_ID, _LATER = "first-operator", "operator-"
# No id that somebody has chosen is taken for one of these.
_OURS = re.compile(rf"{_ID}|{_LATER}[0-9a-f]{{26}}")


class StillGood(Exception):
    """The key that lies there is none that is lost."""


class NoKeys(Exception):
    """The store has no key at all: an edge that starts on it makes the operator's."""


async def operator_key(control: Control, path: Path, sub: str, tenant: str) -> bool:
    """Makes it where there is none yet; its secret goes to `path`, readable by this user only. True when it
    did.
    """
    if await control.store.keys(None):
        return False
    secret, made = await control.create_key(
        KeyRecord(id=_ID, hash="", sub=sub, tenant=tenant, name="first operator")
    )
    if all(key.hash != made.hash for key in await control.store.keys(None)):
        # Another edge has made it at the same moment.
        return False
    _lay(path, secret)
    return True


async def replace_operator_key(
    control: Control, path: Path, sub: str, tenant: str
) -> tuple[KeyRecord, list[str]]:
    """Another one, with its secret at `path`, and the ids of those that it replaces: they are revoked in the
    same transaction. They all are in force once the control plane has published its keys. Raises StillGood,
    NoKeys, Unmet.
    """
    if not await control.store.keys(None):
        raise NoKeys
    kept, now = _of_operator(await control.store.kept_keys(), tenant), control.now_us()
    if any(key.hash == _hash_at(path) and not 0 < key.expires_at <= now for key, _ in kept):
        raise StillGood
    secret, fields = new_key()
    fields["id"] = _LATER + new_id()
    made = KeyRecord(**fields, sub=sub, tenant=tenant, name="operator", created_at=now)
    lost = [(key.id, content) for key, content in kept if _OURS.fullmatch(key.id)]
    # First, so that no key is good whose secret nobody has.
    _lay(path, secret)
    revoked = [revoked_key(content, name, now) for name, content in lost]
    await control.write([new_key_write(made), *revoked], ["keys"])
    return made, [name for name, _ in lost]


def _of_operator(kept: list[Kept], tenant: str) -> list[tuple[KeyRecord, bytes]]:
    keys = [(one.record, one.content) for one in kept if isinstance(one.record, KeyRecord)]
    return [(key, content) for key, content in keys if key.tenant == tenant]


def _hash_at(path: Path) -> str:
    try:
        return hash_of(path.read_text().strip())
    except (OSError, UnicodeDecodeError):
        return ""


def _lay(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, f"{secret}\n".encode())
