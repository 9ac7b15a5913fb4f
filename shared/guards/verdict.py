"""What a guard looks at and what it says, and the Protocols that every guard keeps."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

from shared.guards.section import Place, Who

Side = Literal["request", "reply"]


class Occasion(Struct, frozen=True, kw_only=True):
    """What a guard is told of a call beside its texts. `target` is what is called: a model, a tool, an agent.
    `json`: what answers it is JSON that a program reads. `reply` is what refusals call the answer, `spoken`
    whose words are meant for readers.
    """

    target: str = ""
    json: bool = False
    reply: str = "the reply"
    spoken: tuple[Who, ...] = ("user", "assistant")


# What a guard has to be told: those that look at nothing but texts take any occasion.
Told = TypeVar("Told", bound=Occasion, contravariant=True)


class Attachment(Struct, frozen=True):
    """A file beside the texts. `size` is in bytes, -1 where it is elsewhere (`linked`) or cannot be read."""

    media_type: str = ""
    size: int = 0
    linked: bool = False


class Said(Struct, frozen=True):
    """One text of a request or a reply. Texts of one `group` stand next to each other in one message.

    `who` says whose words they are: `call` is what a model gives to a tool, `tool` what came back,
    `definition` what tools are said to do. `json`: it is JSON as it is written, so that what is put into it
    has to be escaped. `file` is the one that this is the text of; it has none where nobody can read it.
    """

    text: str
    who: Who = "assistant"
    group: int = 0
    json: bool = False
    file: Attachment | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """`findings` name kinds of things, never the things. `texts` are changed ones by their place. `refusal`
    says to the caller why it ends here; `broken`: it is the model that failed, not the caller. `untrusted`:
    the texts try to give orders.
    """

    findings: tuple[str, ...] = ()
    texts: dict[int, str] = {}
    refusal: str = ""
    broken: bool = False
    untrusted: bool = False


class Passage(Struct, frozen=True, kw_only=True):
    """What may go on of a stream's text, and what was found. `changed`: it is not what the model said."""

    text: str = ""
    findings: tuple[str, ...] = ()
    refusal: str = ""
    broken: bool = False
    changed: bool = False
    untrusted: bool = False


class Strain(Protocol):
    """A guard over one part of a streamed reply. `held` is what it has been given and not yet let go."""

    @property
    def held(self) -> str: ...

    async def feed(self, text: str) -> Passage: ...

    async def end(self) -> Passage:
        """The part is complete: lets go of the rest."""
        ...


class Watch(Protocol):
    """A guard over one call; it may remember what it has seen of it. Whatever it raises counts as its
    failure. `restores`: what it puts into the reply is known to this call alone.
    """

    @property
    def restores(self) -> bool: ...

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict: ...

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        """For the next text of a streamed reply. Unless `enforced`, nobody waits for what it holds."""
        ...


class Guard(Protocol[Told]):
    """One guard as configured, for all calls. `places` is where it looks unless it is told otherwise."""

    places: tuple[Place, ...]

    def watch(self, occasion: Told) -> Watch: ...


TextGuard = Guard[Occasion]


NOTHING = Verdict()
