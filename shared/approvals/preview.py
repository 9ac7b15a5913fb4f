"""What a person sees of the arguments that they are asked about: short, without secrets, and nothing that a
terminal or a page would obey.
"""

import re
from typing import Any

import msgspec

from shared.errors import BadRequest
from shared.jsonrpc import refuse_duplicates

_LONGEST, _LONGEST_TEXT = 4_000, 240
_HEAD, _TAIL = 160, 60
_DEEPEST, _MOST = 8, 40
_HIDDEN, _MORE = "[hidden]", "…"
_SECRET_NAME = re.compile(
    r"(?i)pass(word|wd|phrase|code)|secret|token|api[_-]?key|private[_-]?key|credential|authori[sz]ation|cookie"
)
_SECRET = re.compile(
    r"\b(?:gsk_|sk-|xai-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|[rs]k_(?:live|test)_|ya29\.)[A-Za-z0-9._-]{12,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9._-]{8,}"
    # Lines of base64 and no more: what stands behind them is no part of a key, whoever wrote it there.
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-{0,5}(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{12,}+)*+"
    r"(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]+(?=\s*-----END))?"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{12,}|(?<=://)[^\s:/@]+:[^\s/@]+(?=@)"
)
# What would be markup to a page is written as JSON can also write it.
_MARKUP = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def preview(arguments: bytes) -> str:
    """`arguments` (JSON, or anything else) in at most 4,000 characters."""
    try:
        # With a member twice, another reader would see another value than this one shows.
        refuse_duplicates(arguments)
        value = msgspec.json.decode(arguments)
        text = msgspec.json.encode(_shortened(value, 0)).decode()
    except (BadRequest, ValueError, RecursionError):
        text = _text(arguments)
    return visible(text, _LONGEST).translate(_MARKUP)


def visible(text: str, longest: int = _LONGEST_TEXT) -> str:
    """`text` with everything that would not show written out, cut after `longest` characters."""
    # What cannot be encoded is written out as well: it could not be sent on.
    shown = text[:longest].encode(errors="backslashreplace").decode()
    safe = "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in shown)
    return safe if len(text) <= longest else f"{safe}… ({len(text)} characters)"


def _shortened(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _cut(_without_secrets(value))
    if isinstance(value, dict):
        if depth == _DEEPEST:
            return f"… ({len(value)} members)"
        return _members(value, depth)
    if isinstance(value, list):
        if depth == _DEEPEST:
            return f"… ({len(value)} values)"
        shown_values = [_shortened(one, depth + 1) for one in value[:_MOST]]
        return shown_values + ([f"… {len(value) - _MOST} more"] if len(value) > _MOST else [])
    return value


def _members(value: dict[str, Any], depth: int) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for number, name in enumerate(list(value)[:_MOST], start=1):
        short = _cut(name)
        # Names that are alike once they are cut must not stand in for each other.
        while short in shown or short == _MORE:
            short = f"{short} ({number})"
        shown[short] = _member(name, value[name], depth)
    return shown | ({_MORE: f"{len(value) - _MOST} more"} if len(value) > _MOST else {})


def _member(name: str, value: Any, depth: int) -> Any:
    # A number of tokens is no secret, whatever it is called.
    if _SECRET_NAME.search(name) and not isinstance(value, int | float | None):
        return _HIDDEN
    return _shortened(value, depth + 1)


def _without_secrets(text: str) -> str:
    # How much it is, so that nobody takes a page of commands for a key.
    return _SECRET.sub(lambda found: f"{_HIDDEN} ({len(found[0])} characters)", text)


def _cut(text: str) -> str:
    """Beginning and end: what matters may stand at either."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_HEAD]} … {text[-_TAIL:]} ({len(text)} characters)"


def _text(raw: bytes) -> str:
    try:
        return _cut(_without_secrets(raw.decode()))
    except UnicodeDecodeError:
        return f"{len(raw)} bytes that are no text"
