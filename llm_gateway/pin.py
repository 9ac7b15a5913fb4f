"""What a call is tied to by what it names: the target that has its conversation, the provider that has its
files and items. Nobody else can answer it.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from llm_gateway.catalog import Target
from llm_gateway.files_named import renamed
from llm_gateway.formats import Outbound
from shared.errors import BadRequest, NotFound


class Pin(Struct, frozen=True, kw_only=True):
    """`target` and `provider` are empty where any will do. `files` are its files' names at the provider, by
    the names that the caller knows.
    """

    target: str = ""
    provider: str = ""
    files: dict[str, str] = {}

    def among(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Those that can answer. Raises NotFound, BadRequest when there is none."""
        found = tuple(target for target in targets if self.target in ("", target.name))
        if not found:
            raise NotFound(
                "what this goes on from is kept by a provider that does not answer for this model: "
                "go on with the model that gave it, or send the conversation as `input`",
                data={"param": "previous_response_id", "code": "previous_response_not_found"},
            )
        found = tuple(target for target in found if self.provider in ("", target.provider.name))
        if not found:
            param = "file_id" if self.files else "input"
            raise BadRequest(
                f"{param}: names what is kept by a provider that cannot answer this call: ask another model, "
                "or send the content",
                data={"param": param},
            )
        return found

    def fitted(self, outbound: Outbound) -> Outbound:
        """`outbound` with its files under the provider's names."""
        if not self.files:
            return outbound
        return msgspec.structs.replace(outbound, body=renamed(outbound.body, self.files))
