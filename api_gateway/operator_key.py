"""The key that an empty store begins with, so that somebody can make the others."""

from pathlib import Path

from api_gateway.control import Control
from shared.identity.keys import KeyRecord
from shared.replace_file import replace_file

# Below the state directory: its secret.
OPERATOR_KEY_FILE = "operator.key"
_ID = "first-operator"


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
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, f"{secret}\n".encode())
    return True
