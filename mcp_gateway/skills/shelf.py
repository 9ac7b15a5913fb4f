"""Which skills there are: those of the configuration, and those that were published since."""

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec
from msgspec import Struct

from mcp_gateway.items import Marks
from mcp_gateway.registry.published import Published, newest, order
from mcp_gateway.search.ranking import Words, words
from mcp_gateway.skills.rule import SkillRule
from mcp_gateway.transports import SKILLS
from shared.catalog_entries import LATEST, CatalogEntry, SkillText

SCHEME = "skill://"
_READ = 2_000


class Skill(Struct, frozen=True, kw_only=True, dict=True):
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

    @property
    def purpose(self) -> str:
        """What it is for, without the many words of how it is done."""
        return f"{self.title}: {self.text.description}"

    @cached_property
    def words(self) -> Words:
        """What it is found by."""
        return words(self.id, " ".join((self.purpose, *self.entry.labels, self.text.instructions))[:_READ])


class SkillShelf:
    """`began` is when this process read its configuration, in microseconds since 1970."""

    def __init__(self, rules: Mapping[str, SkillRule], published: Published, *, began: int) -> None:
        self.changed: list[Callable[[], None]] = []
        self._configured = [_entry(name, rule, began) for name, rule in rules.items()]
        self._published = published
        self._skills: list[Skill] = []
        self._by_id: dict[str, list[Skill]] = {}
        self._labels: dict[str, tuple[str, ...]] = {}
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
        found = self.kept(name, version)
        return found if found is not None and found.entry.state != "deleted" else None

    def kept(self, name: str, version: str) -> Skill | None:
        """A deleted one too."""
        for skill in self._by_id.get(name, ()):
            if skill.latest if version == LATEST else skill.entry.version == version:
                return skill
        return None

    def labels(self, name: str) -> tuple[str, ...]:
        """Those of every version together: an older one does not come with fewer."""
        return self._labels.get(name, ())

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
        self._skills = _sorted(entries)
        self._by_id = {}
        for skill in self._skills:
            self._by_id.setdefault(skill.id, []).append(skill)
        self._labels = {name: _labels(skills) for name, skills in self._by_id.items()}


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
        findings=rule.findings,
        published_at=began,
        updated_at=began,
    )


def _sorted(entries: list[CatalogEntry]) -> list[Skill]:
    """By id, the newest version first. What another release has written, and this one cannot read, is left
    out.
    """
    known = [(entry, text) for entry in entries if (text := _text(entry)) is not None]
    known.sort(key=lambda one: order(one[0].version, one[0].published_at), reverse=True)
    known.sort(key=lambda one: one[0].name)
    latest = newest(entry for entry, _ in known)
    return [
        Skill(entry=entry, text=text, latest=latest[entry.name] == entry.version) for entry, text in known
    ]


def _text(entry: CatalogEntry) -> SkillText | None:
    try:
        return msgspec.convert(entry.content, SkillText)
    except msgspec.ValidationError:
        return None


def _labels(skills: list[Skill]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for skill in skills for label in skill.entry.labels))
