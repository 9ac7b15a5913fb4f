"""What becomes a child process: run by file in an interpreter of its own, it limits itself, gives up rights,
and then is the program.

A process of one thread does here what between fork and exec of a large one would not be safe, and what goes
wrong is told in words. It knows nothing of the rest of the gateway: only the standard library is there.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE = {"mount": 0x00020000, "ipc": 0x08000000, "network": 0x40000000}
_CLONE_NEWUSER = 0x10000000
_MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 0x4000, 0x40000, 2, 4
_MIB = 2**20


def main(plan: dict[str, Any], told: int) -> None:
    """`plan` is what `launch.py` wrote. What fails is written to the pipe `told`, which closes with exec."""
    os.set_inheritable(told, False)
    what = "its namespaces"
    try:
        _separate(plan["namespaces"])
        what = "its limits"
        _limit(plan["limits"])
        what = "its user"
        _become(plan["user"])
        what = "its end with ours"
        _bind_life(plan["parent"])
        what = "its program"
        # Without what this interpreter has added for itself.
        environment = {name: os.environ[name] for name in plan["environment"]}  # noqa: TID251
        os.execve(plan["program"], [plan["program"], *plan["arguments"]], environment)  # noqa: S606
    except (OSError, ValueError) as error:
        # Without the path that an OSError names: who reads it need not know where things are here.
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not usable"
        os.write(told, f"{what}: {why}".encode())
        os._exit(126)


def _separate(names: list[str]) -> None:
    """Namespaces of its own; who is not root gets them inside of a user namespace, where the system allows
    that.
    """
    if not names:
        return
    flags = sum(_CLONE[name] for name in set(names))
    user, group = os.geteuid(), os.getegid()
    try:
        _checked("unshare", flags)
    except PermissionError:
        _checked("unshare", flags | _CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    if "mount" in names:
        _checked("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
        _checked("mount", b"tmpfs", b"/tmp", b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=1777,size=64m")


def _limit(limits: dict[str, int]) -> None:
    wanted = {
        resource.RLIMIT_DATA: limits["memory_mb"] * _MIB,
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_NPROC: limits["processes"],
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        if most and (hard == resource.RLIM_INFINITY or most <= hard):
            resource.setrlimit(kind, (most, most))
    # A core file would hold what it was given as secrets.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _become(user: list[int]) -> None:
    if user:
        own, group = user
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(own, own, own)


def _bind_life(parent: int) -> None:
    """Asks the kernel to kill it when the gateway dies, however that dies, and never to give it more rights
    than it has. Last, because another user forgets the first.
    """
    if not sys.platform.startswith("linux"):
        return  # there the closed pipe has to be enough
    _checked("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _checked("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _checked(name: str, *arguments: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), int(sys.argv[2]))  # noqa: TID251  nothing but the standard library is there
