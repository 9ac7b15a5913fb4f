"""Whether one request keeps to the route's OpenAPI document; where and what, if it does not."""

from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from api_gateway.contract.document import read
from api_gateway.contract.operation import Operation, Operations
from api_gateway.contract.parameter import problem
from api_gateway.contract.rule import OpenApi
from api_gateway.media_type import is_json, kind_of, refuse_coded
from shared.asgi import Exchange
from shared.errors import BadRequest, NotFound
from shared.jsonrpc import refuse_duplicates

_MOST_FIELDS = 1000


class Contract:
    """Raises BadDocument when it is made."""

    def __init__(self, rule: OpenApi, path: Path) -> None:
        self._rule = rule
        self._operations = Operations(read(path))

    async def check(self, exchange: Exchange, path: str) -> None:
        """`path` is the one that the service is asked for. Raises BadRequest, NotFound, MethodNotAllowed,
        TooLarge.
        """
        base = self._rule.base_path
        if base and not path.startswith(f"{base}/"):
            raise NotFound("the service's API has nothing at this path")
        operation, values = self._operations.find(exchange.method, path[len(base) :])
        self._check_parameters(exchange, operation, values)
        await self._check_body(exchange, operation)

    def _check_parameters(self, exchange: Exchange, operation: Operation, values: dict[str, str]) -> None:
        query = _query(exchange.query)
        for one in operation.parameters:
            if one.place == "path":
                sent = [values[one.name]] if one.name in values else []
            elif one.place == "query":
                sent = query.pop(one.name, [])
            else:
                header = exchange.header(one.name)
                sent = [] if header is None else [header]
            wrong = one.problem(sent)
            if wrong:
                raise BadRequest(f"{one.place} parameter {one.name}: {wrong}")
        if query and not self._rule.undeclared_query:
            raise BadRequest(
                f"query parameter {next(iter(query))[:64]}: the service's API has none of this name"
            )

    async def _check_body(self, exchange: Exchange, operation: Operation) -> None:
        sent = exchange.header("content-type")
        if not exchange.expects_body or exchange.header("content-length") == "0":
            if operation.body_required:
                raise BadRequest("body: is missing")
            return
        if sent is None:
            # HTTP/2 does not tell beforehand whether there is a body.
            if operation.body_required or await exchange.peek(self._rule.max_body_bytes):
                raise BadRequest(f"content-type: is missing, this takes {_kinds(operation)}")
            return
        kind = kind_of(sent)
        major = kind.partition("/")[0]
        known = next((one for one in (kind, f"{major}/*", "*/*") if one in operation.bodies), None)
        if known is None:
            raise BadRequest(f"content-type: {kind[:64]!r} is not taken here, but {_kinds(operation)}")
        validator = operation.bodies[known]
        if validator is None or not is_json(kind):
            return
        refuse_coded(exchange)
        body = await exchange.peek(self._rule.max_body_bytes)
        # Two readers could take another one of two values.
        refuse_duplicates(body)
        wrong = problem(validator, _decoded(body))
        if wrong:
            raise BadRequest(f"body: {wrong}")


def _query(text: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadRequest(f"query: more than {_MOST_FIELDS} parameters") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("body: is not valid JSON") from error


def _kinds(operation: Operation) -> str:
    return ", ".join(sorted(operation.bodies)) or "no body"
