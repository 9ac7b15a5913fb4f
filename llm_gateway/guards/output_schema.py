"""Replies that must be JSON of a certain form: the one that the caller asked for, or one of yours."""

from collections.abc import Sequence
from typing import Any

import jsonschema_rs
import msgspec

from llm_gateway.guards.occasion import ChatOccasion
from llm_gateway.guards.section import OutputSchemaSection
from shared.errors import BadRequest
from shared.guards.borders import Borders
from shared.guards.section import Place, Who
from shared.guards.verdict import NOTHING, Said, Side, Strain, Verdict, Watch

# Callers send few schemas and send them again and again.
_KEPT = 256
# Held until its end: a piece of JSON can be judged by nobody.
_ALL = 1 << 40


class OutputSchema:
    places: tuple[Place, ...] = ("reply", "stream")

    def __init__(self, section: OutputSchemaSection, *_: object) -> None:
        self._own = validator(section.schema) if section.schema else None
        self._lenient = section.mode == "monitor" or section.fail == "open"
        self._kept: dict[bytes, Any] = {}

    def watch(self, occasion: ChatOccasion) -> Watch:
        """Raises BadRequest for a schema of the caller's that nothing can be checked by."""
        if self._own is not None:
            return SchemaWatch(self._own, wanted=True)
        output = occasion.chat.output
        if output.kind != "schema":
            return SchemaWatch(None, wanted=output.kind == "json")
        return SchemaWatch(self._validator(output.schema), wanted=True)

    def _validator(self, schema: dict[str, Any]) -> Any:
        key = msgspec.json.encode(schema)
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = self._made(schema)
        return self._kept[key]

    def _made(self, schema: dict[str, Any]) -> Any:
        try:
            return validator(schema)
        except ValueError as error:
            if self._lenient:
                return None
            what = str(error)[:300]
            raise BadRequest(
                f"the schema asked for is none that can be checked: {what}", cause=error
            ) from error


class SchemaWatch:
    """`wanted`: it must be JSON; with a `validator`, of that form."""

    restores = False

    def __init__(self, validator: Any, *, wanted: bool) -> None:
        self._validator = validator
        self._wanted = wanted

    async def check(self, texts: Sequence[Said], side: Side) -> Verdict:
        text = "".join(said.text for said in texts if said.who == "assistant")
        # A model that calls a tool instead has not answered yet.
        if (
            not self._wanted
            or side == "request"
            or not (text or not any(said.who == "call" for said in texts))
        ):
            return NOTHING
        try:
            value = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return Verdict(
                findings=("no_json",), refusal="it is not the JSON that was asked for", broken=True
            )
        problem = self._problem(value)
        if not problem:
            return NOTHING
        return Verdict(
            findings=("misfit",), refusal=f"it does not fit the schema asked for: {problem}", broken=True
        )

    def strain(self, who: Who, *, enforced: bool) -> Strain:
        judge = self._judge if who == "assistant" and self._wanted else _pass
        return Borders(judge, who, size=_ALL if judge == self._judge else 1, holds=enforced)

    async def _judge(self, texts: Sequence[Said]) -> Verdict:
        return await self.check(texts, "reply")

    def _problem(self, value: Any) -> str:
        error = next(self._validator.iter_errors(value), None) if self._validator is not None else None
        if error is None:
            return ""
        # Where and which rule, not what stood there.
        place = "/".join(str(step) for step in error.instance_path)
        return f"/{place} breaks {'/'.join(str(step) for step in error.schema_path)}"


async def _pass(texts: Sequence[Said]) -> Verdict:
    return NOTHING


def validator(schema: dict[str, Any]) -> Any:
    """Raises ValueError for what is no JSON Schema. References lead nowhere: nothing is fetched."""
    return jsonschema_rs.validator_for(schema, retriever=_nowhere)


def _nowhere(uri: str) -> Any:
    raise ValueError(f"a schema must stand for itself and not refer to {uri[:200]}")
