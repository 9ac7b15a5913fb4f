"""Signatures of thoughts and calls, in the one place that Gemini has for them.

Gemini's own go through as they are. Those of other providers are wrapped so that they come back byte for byte
through clients, which decode and encode them again in the other alphabet of base64.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from msgspec import Struct

ORIGIN = "gemini"
_MARK = b"gatestack/"
# Nine bytes of the mark are twelve characters in both alphabets; the tenth shares one with what follows.
_WRAPPED = urlsafe_b64encode(_MARK[:9]).decode()
_STANDARD = str.maketrans("-_", "+/")


class Signature(Struct, frozen=True):
    text: str = ""
    origin: str = ""
    redacted: bool = False


def read(written: str) -> Signature:
    """Raises ValueError on something wrapped that we did not wrap."""
    if not written:
        return Signature()
    if not written.startswith(_WRAPPED):
        return Signature(written, ORIGIN)
    raw = urlsafe_b64decode(padded(written).translate(str.maketrans("+/", "-_")))
    if not raw.startswith(_MARK):
        return Signature(written, ORIGIN)
    origin, separator, rest = raw.removeprefix(_MARK).partition(b"/")
    redacted, second, text = rest.partition(b"/")
    if not (separator and second):
        raise ValueError("a thoughtSignature is damaged")
    return Signature(text.decode(), origin.decode(), redacted == b"1")


def write(text: str, origin: str, *, redacted: bool = False) -> str:
    if not text or origin == ORIGIN:
        return text
    return urlsafe_b64encode(_MARK + f"{origin}/{int(redacted)}/{text}".encode()).decode()


def padded(data: str) -> str:
    """Base64 in the alphabet that every other provider expects."""
    plain = data.translate(_STANDARD)
    return plain + "=" * (-len(plain) % 4)
