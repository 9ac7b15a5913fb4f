"""What the control plane publishes and a process acts by: kills, keys and policy, taken from snapshots."""

from collections.abc import Callable

import msgspec

from shared.clock import Clock
from shared.config import Shared
from shared.identity.keys import Keyring
from shared.identity.verify import Verifier
from shared.kill import KillSwitch
from shared.policy import Policy, PolicyBox, PolicyRules
from shared.snapshots import Snapshots


def obeyed(
    snapshots: Snapshots, verifier: Verifier, shared: Shared, clock: Clock
) -> tuple[KillSwitch, Keyring, PolicyBox]:
    """What the control plane publishes and this process acts by; until then, only the policy of its own
    file.
    """
    keyring = Keyring(clock)
    age = shared.kill.max_age_seconds
    kill = KillSwitch(snapshots, clock, max_age_seconds=age, revoked=keyring.revoked)
    # A region's own file grants nothing: not even until the control plane has been heard of.
    policy = PolicyBox(Policy.compile(PolicyRules() if shared.control.plane else shared.policy, 0))
    snapshots.on("keys", keyring.apply)
    snapshots.on("keys", lambda _, __: kill.keys_changed())
    snapshots.on("policy", _policy_swap(policy, verifier))
    return kill, keyring, policy


def _policy_swap(box: PolicyBox, verifier: Verifier) -> Callable[[bytes, int], None]:
    def swap(payload: bytes, epoch: int) -> None:
        box.replace(Policy.compile(msgspec.json.decode(payload, type=PolicyRules), epoch))
        verifier.forget()

    return swap
