"""Phrases that have no business in a description: they command the model or keep its user in the
dark. Read on text in lower case with single blanks.
"""

import re


def _near(*groups: str, gap: int = 30) -> str:
    """One word of each group, in this order, with at most `gap` characters between two of them."""
    return f".{{0,{gap}}}".join(rf"\b(?:{group})\b" for group in groups)


_SAY = "tell|telling|mention|mentioning|inform|informing|reveal|notify|notifying"
_ORDERS = "instructions?|prompts?|rules?|messages?|tools?"
_PRIVATE = "conversation|chat history|api keys?|credentials|passwords|environment variables"
_OVERRIDE = (
    _near("ignore|disregard|forget|override", "previous|prior|above|earlier|all other", _ORDERS),
    r"\bnew (?:system )?instructions? ?:",
    r"\byou are now\b",
    _near("ignore|reveal|print|repeat|override|show", "system prompts?"),
)
_SECRECY = (
    _near("do not|don't|never|without", _SAY, "users?|humans?|anyone"),
    _near("users?|humans?", "must|should|need", "not (?:know|see|notice|be told|be informed)", gap=12),
)
_MARKUP = (
    r"< ?/? ?(?:important|system|secret|instructions?|admin|assistant) ?>",
    r"\[/?inst\]",
    r"<\|im_(?:start|end)\|>",
)
_USE = "using|calling|use|invoking|running"
_PRECEDENCE = (_near("before|instead of|prior to", _USE, "any|other|another", "must|always|have to|first"),)
_SECRETS = (
    r"\.ssh/",
    r"\bid_(?:rsa|ed25519)\b",
    r"\.aws/credentials",
    r"\bmcp\.json\b",
    r"/etc/(?:passwd|shadow)\b",
)
_EXFILTRATION = (_near("send|post|forward|upload|exfiltrate|bcc|copy", _PRIVATE, "to", gap=40),)

PHRASES = tuple(
    (name, re.compile(pattern))
    for name, patterns in (
        ("override", _OVERRIDE),
        ("secrecy", _SECRECY),
        ("markup", _MARKUP),
        ("precedence", _PRECEDENCE),
        ("secrets", _SECRETS),
        ("exfiltration", _EXFILTRATION),
    )
    for pattern in patterns
)
