"""Which skills there are: those of the configuration, and those that were published since."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from mcp_gateway.items import Marks
from mcp_gateway.registry.published import Published, newest, order
from mcp_gateway.skills.rule import SkillRule
from mcp_gateway.transports import SKILLS
from shared.catalog_entries import LATEST, CatalogEntry, SkillText

SCHEME = "skill://"


class Skill(Struct, frozen=True, kw_only=True):
    """One version of a skill."""

    entry: CatalogEntry
    text: SkillText
    latest: bool

    @property
    def id(self) -> str:
        return self.entry.name

    @property
    def title(self) -> str:
        return self.text.title or self.entry.name


class SkillShelf:
    """`began` is when this process read its configuration, in microseconds since 1970."""

    def __init__(self, rules: Mapping[str, SkillRule], published: Published, *, began: int) -> None:
        self.changed: list[Callable[[], None]] = []
        self._configured = [_entry(name, rule, began) for name, rule in rules.items()]
        self._published = published
        self._skills: list[Skill] = []
        published.changed.append(self._renew)
        self._fill()

    def all(self) -> list[Skill]:
        """Every version, by id, the newest first; deleted ones too."""
        return self._skills

    def latest(self) -> list[Skill]:
        """What is offered: of each skill the latest version, unless that is deleted."""
        return [skill for skill in self._skills if skill.latest and skill.entry.state != "deleted"]

    def find(self, name: str, version: str = LATEST) -> Skill | None:
        """Also a version that is only deprecated; a deleted one is gone."""
        for skill in self._skills:
            wanted = skill.latest if version == LATEST else skill.entry.version == version
            if skill.id == name and wanted:
                return skill if skill.entry.state != "deleted" else None
        return None

    def labels(self, name: str) -> tuple[str, ...]:
        """Those of every version together: an older one does not come with fewer."""
        every = [label for skill in self._skills if skill.id == name for label in skill.entry.labels]
        return tuple(dict.fromkeys(every))

    def marks(self, others: Marks) -> Marks:
        """What policy knows of an item: for a prompt or resource of this shelf, the skill's labels too."""

        def marks(server: str, name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
            own = self.labels(split(name)[0]) if server == SKILLS else ()
            return (*own, *others(server, name, (*labels, *own)))

        return marks

    def _renew(self) -> None:
        self._fill()
        for tell in self.changed:
            tell()

    def _fill(self) -> None:
        own = {(entry.name, entry.version) for entry in self._configured}
        published = self._published.of("skill")
        entries = [*self._configured, *(each for each in published if (each.name, each.version) not in own)]
        latest = newest(entries)
        entries.sort(key=lambda entry: order(entry.version, entry.published_at), reverse=True)
        entries.sort(key=lambda entry: entry.name)
        self._skills = [
            Skill(
                entry=entry,
                text=msgspec.convert(entry.content, SkillText),
                latest=latest[entry.name] == entry.version,
            )
            for entry in entries
        ]


def split(name: str) -> tuple[str, str]:
    """Id and version that `<id>` or `<id>@<version>`, alone or as the URI of a resource, speaks of."""
    found, _, version = name.removeprefix(SCHEME).partition("@")
    return found, version or LATEST


def _entry(name: str, rule: SkillRule, began: int) -> CatalogEntry:
    text = {field: getattr(rule, field) for field in SkillText.__struct_fields__}
    return CatalogEntry(
        kind="skill",
        name=name,
        version=rule.version,
        content=text,
        owner=rule.owner,
        labels=rule.labels,
        state=rule.state,
        published_at=began,
        updated_at=began,
    )
