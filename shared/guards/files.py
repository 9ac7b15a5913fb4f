"""Files that come along with texts: which types there may be, how large they are, and whether links may stand
in their place.
"""

from collections.abc import Iterator, Sequence

from shared.guards.section import FilesSection, Place, Who
from shared.guards.verdict import NOTHING, Attachment, Occasion, Passage, Said, Side, Verdict, Watch
from shared.policy.glob import covers


class Files:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: FilesSection, *_: object) -> None:
        self._section = section

    def watch(self, occasion: Occasion) -> Watch:
        return FilesWatch(self._section)


class FilesWatch:
    restores = False

    def __init__(self, section: FilesSection) -> None:
        self._section = section

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        found: dict[str, str] = {}
        for said in texts:
            if said.file is not None:
                found |= dict(self._wrong(said.file))
        return Verdict(findings=tuple(found), refusal="; ".join(found.values())) if found else NOTHING

    def strain(self, who: Who, *, enforced: bool) -> "Letting":
        return Letting()

    def _wrong(self, file: Attachment) -> Iterator[tuple[str, str]]:
        """What is wrong with it, as a finding and in words."""
        section, kind = self._section, file.media_type.partition(";")[0].strip().lower()
        if section.types and not any(covers(wanted.lower(), kind) for wanted in section.types):
            yield "type", f"a file of the type {kind[:60]!r} is not allowed"
        if file.linked:
            if not section.links:
                yield "link", "a file must come along and not be linked to"
        elif file.size < 0:
            yield "unreadable", "a file is not in base64"
        elif section.max_bytes and file.size > section.max_bytes:
            yield "size", f"a file is larger than {section.max_bytes} bytes"


class Letting:
    """Words in a stream are none of its business."""

    held = ""

    async def feed(self, text: str) -> Passage:
        return Passage(text=text)

    async def end(self) -> Passage:
        return Passage()
