"""The plan of a storm: which chains there are, what each call of them is, and what has to be on record of
it.
"""

import random
import zlib
from collections.abc import Iterator

from msgspec import Struct

from shared.ledger.row import Row
from tests.stack.crew import Line, Node

CHAINS, SEED = 200, 20_261_121
NEXT = {"a": "b", "b": "c", "c": "d"}
TENANTS, USERS = ("acme", "globex"), ("alice", "bob", "carol", "dave")
# Most calls go well; the other ways are a provider's, a tool's, an agent's and the policy's. There are
# several bad models, since one that fails five times in a row is left alone.
BAD = tuple(f"{how}-{number}" for how in ("failing", "cut") for number in range(8))
MODELS, TOOLS = ("fast",) * 35 + ("secret",) * 5 + BAD, ("echo",) * 8 + ("failing", "pid")
INNER = {"model": "llm_gateway", "tool": "mcp_gateway", "agent": "agent_gateway"}


class Rooted(Struct, frozen=True, kw_only=True):
    """A chain: its first call, and by whom. With `leaves` the client goes while it is under way; a `scarce`
    one may call two models and no more.
    """

    root: Node
    tenant: str
    user: str
    scarce: bool
    leaves: bool


def planned(number: int) -> Rooted:
    """The chain of this number, the same in every run."""
    dice = random.Random(SEED + number)
    root, scarce = _agent(dice, f"chain{number}", "a"), dice.random() < 0.1
    # Whoever leaves does so while the first agent's model thinks.
    thinks = any(step.name == "fast" for step in root.steps)
    return Rooted(
        root=root,
        tenant=dice.choice(TENANTS),
        user=f"user:{dice.choice(USERS)}",
        scarce=scarce,
        leaves=thinks and not scarce and dice.random() < 0.1,
    )


def _agent(dice: random.Random, mark: str, name: str) -> Node:
    steps = [
        Node(mark=f"{mark}/m", kind="model", name=dice.choice(MODELS), streams=dice.random() < 0.5),
        Node(mark=f"{mark}/t", kind="tool", name=f"tools__{dice.choice(TOOLS)}"),
    ]
    if name in NEXT:
        steps.append(_agent(dice, f"{mark}/{NEXT[name]}", NEXT[name]))
    elif dice.random() < 0.2:
        # The last one asks the first: a cycle, which is refused.
        steps.append(Node(mark=f"{mark}/a", kind="agent", name="a"))
    dice.shuffle(steps)
    together, raises = dice.random() < 0.5, dice.random() < 0.1
    streams = dice.random() < 0.5
    return Node(
        mark=mark,
        kind="agent",
        name=name,
        steps=tuple(steps),
        together=together,
        raises=raises,
        streams=streams,
    )


def used(mark: str) -> dict[str, int]:
    """What the provider says that this call has used: every call something else."""
    number = zlib.crc32(mark.encode())
    return {"prompt_tokens": 10 + number % 40, "completion_tokens": 1 + number // 64 % 30}


def price(mark: str) -> int:
    usage = used(mark)
    return usage["prompt_tokens"] + 2 * usage["completion_tokens"]


def every(node: Node) -> Iterator[Node]:
    """The call and all below it."""
    yield node
    for step in node.steps:
        yield from every(step)


class Ledger:
    """The rows of a storm, and what was answered."""

    def __init__(self, rows: list[Row], lines: dict[str, Line]) -> None:
        self.rows = {row.id: row for row in rows}
        self._lines = lines
        self._below: dict[str, list[Row]] = {}
        for row in rows:
            self._below.setdefault(row.parent, []).append(row)
        self._roots = {row.chain: row for row in self._below[""]}
        assert len(self._roots) == len(self._below[""])

    def tree(self, plan: Rooted) -> list[tuple[Node, Row]]:
        """Each call of the chain with its row behind the edge. Every row of the chain is one of these or the
        edge's above it, and stands below its true parent.
        """
        chain = self._lines[plan.root.steps[0].mark].chain
        found: list[tuple[Node, Row]] = []
        seen: set[str] = set()

        def look(node: Node, edge: Row, parent: str, actors: tuple[str, ...]) -> None:
            assert (edge.service, edge.parent, edge.chain) == ("api_gateway", parent, chain), node.mark
            [inner] = self._below[edge.id]
            for row in (edge, inner):
                assert (row.actors, row.tenant, row.chain) == (actors, plan.tenant, chain), node.mark
            assert (inner.service, mark_of(inner)) == (INNER[node.kind], node.mark)
            seen.update((edge.id, inner.id))
            found.append((node, inner))
            for step in node.steps:
                below = self.rows[self._lines[step.mark].call]
                look(step, below, inner.id, (*actors, f"agent:{node.name}"))

        look(plan.root, self._roots[chain], "", (plan.user,))
        assert seen == {row.id for row in self.rows.values() if row.chain == chain}
        return found


def mark_of(row: Row) -> str:
    """The mark of the call that a service behind the edge wrote this row for."""
    return row.tags[0].replace(".", "/") if row.tags else row.request_id


def outcomes(plan: Rooted, node: Node) -> set[str]:
    """How the call may end."""
    if node is plan.root and plan.leaves:
        return {"client_gone"}
    if node.kind == "agent":
        return {"failed" if node.raises else "completed"} if node.steps else {"refused"}
    if node.name in ("secret", "tools__pid"):
        return {"refused"}
    if node.kind == "tool":
        return {"completed"} if node.name.endswith("echo") else {"completed", "failed"}
    # Where five of these fail in a row the next one is not tried.
    well = {"fast": {"completed"}}.get(node.name, {"failed", "broken"})
    return well | ({"refused"} if plan.scarce else set())
