"""Requests that are forms: the few fields that this gateway reads, and the form as a provider gets it."""

from llm_gateway.endpoints.endpoint import Outbound
from llm_gateway.multipart import Form, doubled
from shared.errors import BadRequest

_NAME_LENGTH = 256
_MOST = 1024


def model_in(form: Form) -> str:
    """Raises BadRequest unless there is exactly one, by the one name that it can have."""
    for part in form.parts:
        bare = part.head.name.partition("[")[0]
        if part.head.name != "model" and bare.casefold() == "model":
            raise doubled(part.head.name)
    model = form.text("model")
    if not model:
        raise BadRequest("you must provide a model parameter", data={"param": "model"})
    if len(model) > _NAME_LENGTH:
        raise BadRequest(f"model is longer than {_NAME_LENGTH} characters", data={"param": "model"})
    return model


def flag_in(form: Form, name: str) -> bool:
    text = form.text(name).strip().lower()
    if text not in ("", "true", "false", "1", "0"):
        raise BadRequest(f"{name} must be true or false", data={"param": name})
    return text in ("true", "1")


def count_in(form: Form, name: str) -> int:
    text = form.text(name, "1").strip()
    if not (
        text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= _MOST and len(text) <= len(str(_MOST))
    ):
        raise BadRequest(f"{name} must be a number from 1 to {_MOST}", data={"param": name})
    return int(text)


def on_form(path: str, form: Form, model: str) -> Outbound:
    content_type, body = form.body({"model": model})
    return Outbound(path=path, body=body, content_type=content_type)
