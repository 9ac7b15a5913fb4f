"""Credentials that have got into a text: keys and tokens that are told by their form, on their way out to a
provider or back to a caller.
"""

import math
import re
from collections import Counter

from shared.guards.patterns import Patterns
from shared.guards.section import Place, SecretsSection
from shared.guards.spans import Span, SpanWatch
from shared.guards.verdict import Occasion, Watch

FORMS: tuple[tuple[str, str], ...] = (
    ("GATESTACK_KEY", r"\bgsk_[A-Za-z0-9_-]{40,64}"),
    ("ANTHROPIC_KEY", r"\bsk-ant-[A-Za-z0-9_-]{20,200}"),
    ("OPENROUTER_KEY", r"\bsk-or-[A-Za-z0-9_-]{20,200}"),
    ("OPENAI_KEY", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,250}"),
    ("GOOGLE_KEY", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("GOOGLE_TOKEN", r"\bya29\.[A-Za-z0-9_-]{20,500}"),
    ("XAI_KEY", r"\bxai-[A-Za-z0-9]{40,120}"),
    ("HUGGINGFACE_TOKEN", r"\bhf_[A-Za-z0-9]{30,60}"),
    ("REPLICATE_TOKEN", r"\br8_[A-Za-z0-9]{30,60}"),
    ("PERPLEXITY_KEY", r"\bpplx-[A-Za-z0-9]{32,80}"),
    ("AWS_ACCESS_KEY", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("AWS_SECRET_KEY", r"(?i)\baws.{0,20}secret.{0,20}[:=]\s{0,4}[\"']?[A-Za-z0-9/+=]{40}"),
    ("AZURE_KEY", r"(?i)\b(?:account|shared\s?access)key=[A-Za-z0-9+/=]{40,100}"),
    ("GITHUB_TOKEN", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    ("GITLAB_TOKEN", r"\bglpat-[A-Za-z0-9_-]{20,64}"),
    ("SLACK_TOKEN", r"\bxox[abeprs]-[A-Za-z0-9-]{10,250}"),
    ("SLACK_WEBHOOK", r"\bhooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"),
    ("STRIPE_KEY", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,200}"),
    ("NPM_TOKEN", r"\bnpm_[A-Za-z0-9]{36}"),
    ("PYPI_TOKEN", r"\bpypi-[A-Za-z0-9_-]{50,500}"),
    ("SENDGRID_KEY", r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    ("JWT", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    (
        "PRIVATE_KEY",
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[A-Za-z0-9+/=\s:,.\\]|-[A-Z])*(?:-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    ("URL_PASSWORD", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,100}:[^\s/@]{1,200}@"),
    ("BEARER_TOKEN", r"(?i:\bbearer)\s{1,4}[A-Za-z0-9._~+/-]{20,1000}"),
    (
        "ASSIGNED_SECRET",
        r"(?i)\b(?:api[_-]?key|client[_-]?secret|secret[_-]?key|access[_-]?token|auth[_-]?token|passw(?:or)?d)"
        r"[\"']?\s{0,4}[:=]\s{0,4}[\"'][^\s\"']{8,200}[\"']",
    ),
)
# A private key of 16,384 bits is 12,700 characters long.
_LONGEST = 16_384
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_=-"
# Bits a character: English in one word has under 3.7, random base64 of this length over 4.
_RANDOM_BITS = 4.0


class Secrets:
    places: tuple[Place, ...] = ("request", "reply", "stream")

    def __init__(self, section: SecretsSection, *_: object) -> None:
        forms = Patterns(FORMS, _LONGEST)
        self._finder = Random(forms) if section.entropy else forms
        self._redacts = section.action == "redact"

    def watch(self, occasion: Occasion) -> Watch:
        return SpanWatch(self._finder, _placeholder if self._redacts else None)


class Random:
    """The known forms, and long words that look like chance: capitals, small letters and digits."""

    longest = _LONGEST

    def __init__(self, forms: Patterns) -> None:
        self._forms = forms

    def find(self, text: str) -> list[Span]:
        known = self._forms.find(text)
        chance = [
            Span(*match.span(), "RANDOM_WORD")
            for match in _LONG_WORD.finditer(text)
            if _is_random(match[0])
            and not any(match.start() < k.end and k.start < match.end() for k in known)
        ]
        return sorted((*known, *chance), key=lambda span: span.start)

    def open(self, text: str) -> int:
        return min(self._forms.open(text), len(text.rstrip(_WORD)))


def _is_random(word: str) -> bool:
    mixed = (
        any(c.isupper() for c in word) and any(c.islower() for c in word) and any(c.isdigit() for c in word)
    )
    return mixed and _bits(word[:256]) >= _RANDOM_BITS


def _bits(word: str) -> float:
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _placeholder(what: str, value: str) -> str:
    return f"[{what}]"
