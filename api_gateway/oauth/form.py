"""The forms that the endpoints below `/oauth` take (section 2.1 of RFC 8693, RFC 7662 and RFC 7009), and the
shape of their answers. It decides nothing.
"""

import base64
import binascii
from urllib.parse import parse_qs, unquote_plus

import msgspec
from msgspec import Struct

from api_gateway.media_type import kind_of
from shared.asgi import Exchange
from shared.authenticators.credential import KEY_PLACES, presented
from shared.dialects import Rendered, retry_headers
from shared.errors import BadRequest, GatestackError, Refusal

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_TYPES = (ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt")
_FIELDS = 40
_REPEATABLE = ("resource", "audience")
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"pragma", b"no-cache")]


class Form(Struct, frozen=True, kw_only=True):
    """One request. `presented` are the credentials beside the subject token: in a header, as client secret,
    as actor token. `scope` and the others are "" or None where nothing was asked for.
    """

    subject: str
    presented: frozenset[str]
    actor: str = ""
    scope: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    seconds: int | None = None
    depth: int | None = None
    share: float | None = None


def read_form(exchange: Exchange, body: bytes) -> Form:
    """Raises BadRequest, with OAuth's word for it as `data`."""
    fields = _form(exchange, body)
    grant = _one(fields, "grant_type")
    if grant != GRANT:
        raise BadRequest(f"the only grant type here is {GRANT}", data="unsupported_grant_type")
    for name in ("subject_token_type", "actor_token_type", "requested_token_type"):
        if (given := _one(fields, name)) and given not in _TYPES:
            raise BadRequest(f"{name}: this is none of {', '.join(_TYPES)}")
    subject = _one(fields, "subject_token")
    if not subject or not _one(fields, "subject_token_type"):
        raise BadRequest("subject_token and subject_token_type are needed")
    beside = _in_headers(exchange) | {_one(fields, "actor_token"), _one(fields, "client_secret")}
    return Form(
        subject=subject,
        presented=frozenset(beside - {"", subject}),
        actor=_one(fields, "requested_actor"),
        scope=tuple(dict.fromkeys(_one(fields, "scope").split())),
        targets=(*fields.get("resource", ()), *fields.get("audience", ())),
        seconds=_number(fields, "expires_in"),
        depth=_number(fields, "depth"),
        share=_share(fields),
    )


class Shown(Struct, frozen=True, kw_only=True):
    """A token that is shown to be looked at or revoked, and the credentials beside it."""

    token: str
    presented: frozenset[str]


def read_token(exchange: Exchange, body: bytes) -> Shown:
    """The form of introspection and revocation (RFC 7662 and RFC 7009, section 2.1). A hint is not looked
    at: a token says itself of what kind it is. Raises BadRequest.
    """
    fields = _form(exchange, body)
    token = _one(fields, "token")
    if not token:
        raise BadRequest("token is needed")
    return Shown(
        token=token, presented=frozenset((_in_headers(exchange) | {_one(fields, "client_secret")}) - {""})
    )


def answer(token: str, seconds: int, scope: tuple[str, ...]) -> bytes:
    """The body of a successful answer; `scope` is always named where there is one (RFC 8693, 2.2.1)."""
    told = {
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": seconds,
    }
    return msgspec.json.encode(told | ({"scope": " ".join(scope)} if scope else {}))


def headers() -> list[tuple[bytes, bytes]]:
    return list(_HEADERS)


class OAuthErrors:
    """Errors as RFC 6749 section 5.2 writes them; an error's `data` is OAuth's word where there is one."""

    def refusal(self, error: GatestackError, request_id: str) -> Rendered:
        status = error.status
        if isinstance(error, Refusal) and status in (401, 403):
            # An unacceptable token is an invalid request (RFC 8693 section 2.2.2), 401 is for clients.
            status = 401 if error.data == "invalid_client" else 400
        body = {"error": _word(error), "error_description": _shown(error.detail), "instance": request_id}
        more = [(b"www-authenticate", b"Bearer")] if status == 401 else []
        return status, [*_HEADERS, *more, *retry_headers(error)], msgspec.json.encode(body)

    def event(self, error: GatestackError, request_id: str) -> bytes:
        return b""


def _word(error: GatestackError) -> str:
    if isinstance(error.data, str):
        return error.data
    if isinstance(error, Refusal) and error.status < 429:
        return "invalid_request"
    return "server_error" if error.status == 500 else "temporarily_unavailable"


def _shown(text: str) -> str:
    """`text` in the characters that RFC 6749 allows in a description."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)


def _form(exchange: Exchange, body: bytes) -> dict[str, list[str]]:
    if kind_of(exchange.header("content-type") or "") != "application/x-www-form-urlencoded":
        raise BadRequest("send this as application/x-www-form-urlencoded")
    return _fields(body)


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        fields = parse_qs(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise BadRequest("the body is no form that can be read", cause=error) from error
    repeated = [name for name, values in fields.items() if len(values) > 1 and name not in _REPEATABLE]
    if repeated:
        raise BadRequest(f"{repeated[0][:40]} stands more than once: send it once")
    return fields


def _one(fields: dict[str, list[str]], name: str) -> str:
    return fields.get(name, [""])[0].strip()


def _number(fields: dict[str, list[str]], name: str) -> int | None:
    text = _one(fields, name)
    if text and not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadRequest(f"{name}: a whole number is needed")
    return int(text) if text else None


def _share(fields: dict[str, list[str]]) -> float | None:
    text = _one(fields, "budget_share")
    if not text:
        return None
    try:
        share = float(text)
    except ValueError as error:
        raise BadRequest("budget_share: a number from 0 to 1 is needed", cause=error) from error
    if not 0 <= share <= 1:
        raise BadRequest("budget_share: a number from 0 to 1 is needed")
    return share


def _in_headers(exchange: Exchange) -> set[str]:
    """Credentials in headers; of HTTP Basic the password, which is how OAuth clients send their secret."""
    return {_basic(text) for text in presented(exchange, KEY_PLACES)}


def _basic(text: str) -> str:
    if text[:6].lower() != "basic ":
        return text
    try:
        decoded = base64.b64decode(text[6:].strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadRequest("this is no HTTP Basic credential", data="invalid_client", cause=error) from error
    return unquote_plus(decoded.partition(":")[2])
