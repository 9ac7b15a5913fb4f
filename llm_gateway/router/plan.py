"""What the route stage hands to the loop: who is tried in which order, and what the model's routing says
about failures.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from llm_gateway.catalog import Model, Target
from llm_gateway.prices import facts
from llm_gateway.router.section import LARGER, MAIN, NEXT, RoutingSection
from llm_gateway.router.state import Deployment, State


class Routes(Struct, frozen=True):
    """A model's targets by group, and how they are chosen."""

    model: Model
    section: RoutingSection
    groups: dict[str, tuple[Target, ...]]
    windows: dict[str, int]

    @property
    def main(self) -> tuple[Target, ...]:
        return self.groups.get(MAIN, ())

    @property
    def plain(self) -> bool:
        """Whether every call goes the same way, until something fails."""
        section = self.section
        chooses = section.rules or section.classifier or section.canary
        return len(self.main) == 1 and not chooses

    @property
    def paid(self) -> tuple[Target, ...]:
        """Those who may answer: all but the mirror's."""
        mirror = self.section.mirror
        if mirror is None:
            return self.model.targets
        return tuple(target for target in self.model.targets if target.group != mirror.to)

    def narrowed(self, targets: Sequence[Target], *, copies: bool = False) -> "Routes":
        """With nobody but `targets`, in groups that may be empty. Unless `copies`, nobody is sent any."""
        groups = {
            name: tuple(target for target in group if target in targets)
            for name, group in self.groups.items()
        }
        model = msgspec.structs.replace(self.model, targets=tuple(targets))
        section = self.section if copies else msgspec.structs.replace(self.section, mirror=None)
        return Routes(model, section, groups, self.windows)

    def larger(self, target: Target) -> tuple[Target, ...]:
        """Those with a larger context window than `target`, the smallest of them first."""
        least = self.windows.get(target.name, 0)
        found = [each for each in self.paid if self.windows.get(each.name, 0) > least]
        return tuple(sorted(found, key=lambda each: self.windows[each.name]))


class Plan(Struct, frozen=True):
    """`only` is the one target's deployment where nothing is to be decided, whatever happens."""

    targets: tuple[Target, ...]
    routes: Routes
    only: Deployment | None = None


def plain_plan(of: Routes, state: State) -> Plan:
    """Of a model whose calls all go the same way, until something fails."""
    [target] = of.main
    section = of.section
    fallbacks, retries = section.fallbacks, section.retries
    elsewhere = {*fallbacks.error, *fallbacks.timeout, *fallbacks.context, *fallbacks.content} - {NEXT}
    in_time = retries.deadline_seconds >= target.provider.section.first_byte_timeout_seconds
    decided = in_time and not elsewhere and not fallbacks.content and not retries.per_target
    return Plan(of.main, of, state.of(target) if decided else None)


def routes(model: Model) -> Routes:
    groups: dict[str, tuple[Target, ...]] = {}
    for target in model.targets:
        groups[target.group] = (*groups.get(target.group, ()), target)
    # The table of models is large: it is read only where somebody asks how large theirs are.
    windows = _windows(model.targets) if LARGER in model.routing.fallbacks.context else {}
    return Routes(model, model.routing, groups, windows)


def _windows(targets: Sequence[Target]) -> dict[str, int]:
    found = {}
    for target in targets:
        window = target.context_window
        if window is None:
            known = facts(target.provider.section.kind, target.model)
            window = known.context if known is not None else 0
        found[target.name] = window
    return found
