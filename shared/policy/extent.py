"""What a resource, a pattern or a catalog stands for, as patterns; whether two of them meet or one holds the
other.
"""

from shared.policy.glob import covers, overlaps
from shared.policy.names import ANY
from shared.policy.roles import DEEPEST, Catalogs

CATALOG = "catalog:"
Patterns = tuple[str, ...]


class Extents:
    """The patterns behind every name of one policy. A catalog is all that is grouped in it, at any depth."""

    __slots__ = ("_inside", "_known")

    def __init__(self, catalogs: Catalogs) -> None:
        self._inside: dict[str, list[str]] = {}
        for resource, catalog in catalogs.links:
            self._inside.setdefault(catalog, []).append(resource)
        self._known: dict[str, Patterns] = {}

    def of(self, name: str) -> Patterns:
        """The patterns that `name` stands for; none for a catalog without resources."""
        if not name.startswith(CATALOG):
            return (name,)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = self._gathered(name)
        return found

    def _gathered(self, catalog: str) -> Patterns:
        seen = {catalog: None}
        edge, resources = [catalog], dict[str, None]()
        for _ in range(DEEPEST):
            inside = [resource for name in edge for resource in self._inside.get(name, ())]
            resources |= dict.fromkeys(name for name in inside if not name.startswith(CATALOG))
            edge = [name for name in self._catalogs_in(inside) if name not in seen]
            seen |= dict.fromkeys(edge)
        return tuple(resources)

    def _catalogs_in(self, names: list[str]) -> dict[str, None]:
        """The catalogs among these names and patterns; a pattern may cover the name of a catalog too."""
        plain = [name for name in names if name.startswith(CATALOG)]
        patterns = [name for name in names if name.startswith(ANY)]
        if not patterns:
            # Asked of every catalog: walking all of them each time would make that quadratic.
            return dict.fromkeys(plain)
        covered = [name for name in self._inside if any(covers(pattern, name) for pattern in patterns)]
        return dict.fromkeys((*plain, *covered))


def share(outer: Patterns, inner: Patterns) -> bool | None:
    """How much of `inner` belongs to `outer`: all of it (by single patterns), some, or None for none."""
    if len(outer) == len(inner) == 1:
        if not overlaps(outer[0], inner[0]):
            return None
        # A star inside a name is a character like any other, which only a star of the pattern covers.
        return covers(outer[0], inner[0])
    globs, inner_globs = [p for p in outer if ANY in p], [p for p in inner if ANY in p]
    if not globs and not inner_globs:
        common = set(outer).intersection(inner)
        return len(common) == len(set(inner)) if common else None
    if not _any_overlap(outer, inner, globs, inner_globs):
        return None
    literals = set(outer)
    return all(name in literals or any(covers(pattern, name) for pattern in globs) for name in inner)


def _any_overlap(outer: Patterns, inner: Patterns, globs: list[str], inner_globs: list[str]) -> bool:
    if not set(outer).isdisjoint(inner):
        return True
    pairs = ((pattern, name) for pattern in globs for name in inner)
    return any(overlaps(*pair) for pair in pairs) or any(
        overlaps(pattern, name) for pattern in inner_globs for name in outer
    )
