"""What a provider signs its reasoning with, as the `encrypted_content` of a reasoning item: OpenAI's own as
it is, others' with a word in front that says whose it is and whether there was any text.
"""

ORIGIN = "openai_responses"
_OURS = "gatestack:"
_TEXT, _REDACTED = "text", "redacted"


def sealed(signature: str, origin: str, *, redacted: bool) -> str | None:
    if origin == ORIGIN:
        return signature or None
    if not signature:
        return None
    return f"{_OURS}{origin}:{_REDACTED if redacted else _TEXT}:{signature}"


def opened(content: str) -> tuple[str, str, bool]:
    """Signature, origin, and whether all there is is in it."""
    if not content.startswith(_OURS):
        return content, ORIGIN, False
    origin, _, rest = content.removeprefix(_OURS).partition(":")
    kind, _, signature = rest.partition(":")
    return signature, origin, kind == _REDACTED
