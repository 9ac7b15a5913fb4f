"""The same things said by each kind of provider, on its own wire; and what a request to it says, read
back.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from tests.support.providers import Behaviour, Call, Json

# What every one of them counts.
TOKENS_IN, TOKENS_OUT = 20, 8
Calls = Sequence[tuple[str, str, dict[str, Any]]]  # id, name, arguments


class Upstream(Protocol):
    """`kind` is the provider's in the configuration, `signs` whether its thoughts must come back as they
    were.
    """

    kind: str
    signs: bool

    def section(self, base_url: str) -> Json: ...

    def says(self, text: str = "", *, thinking: str = "", calls: Calls = ()) -> Behaviour: ...

    def streams(self, *pieces: str) -> Behaviour: ...

    def cuts(self, *pieces: str) -> Behaviour: ...

    def refuses(self, status: int, message: str) -> Behaviour: ...

    def image(self, call: Call) -> str:
        """The base64 of the picture in a request."""
        ...

    def schema(self, call: Call) -> Json:
        """The schema that the answer has to fit."""
        ...

    def tool(self, call: Call) -> Json:
        """The schema of the one tool's arguments."""
        ...

    def results(self, call: Call) -> list[str]:
        """What tools have answered."""
        ...

    def signatures(self, call: Call) -> list[str]:
        """The signatures of thoughts that have come back."""
        ...
