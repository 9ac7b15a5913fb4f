"""A file replaced as a whole: who reads meanwhile, or after a crash, sees the old one or the new one."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """`mode` is that of the new file, before the umask. Raises OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    # Of a process that died while it wrote.
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
