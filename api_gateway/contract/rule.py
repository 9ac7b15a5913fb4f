"""What an operator says of a route's OpenAPI document: the part of `gatestack.yaml` that validation reads."""

from typing import Annotated

from msgspec import Meta, Struct


class OpenApi(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`file` is the document (3.0 or 3.1, YAML or JSON), read once at the start: nothing is ever fetched, and
    references lead nowhere but into it. `base_path` stands before the document's paths in what is sent to the
    service. JSON bodies up to `max_body_bytes` are read and checked; larger ones are refused.
    """

    file: Annotated[str, Meta(min_length=1)]
    base_path: Annotated[str, Meta(pattern=r"^(/[^/?#]+)*$")] = ""
    undeclared_query: bool = True
    max_body_bytes: Annotated[int, Meta(ge=1, le=16_777_216)] = 1_048_576
