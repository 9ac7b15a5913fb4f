"""What providers say when a request is longer than their model, or when they do not like its content. Each
has words of its own, and some of them codes.
"""

import re

from shared.errors import UpstreamFault, UpstreamRefused

OVERFLOW, CONTENT = "context_length_exceeded", "content_filter"
_STATUSES = frozenset((400, 413, 422, 502))
# OpenAI and those like it, Anthropic, Gemini, Bedrock, vLLM, llama.cpp, Cohere, Mistral, xAI, Together.
_LONG = re.compile(
    rb"context_length_exceeded|context_window_exceeded|exceed_context_size|maximum context length"
    rb"|prompt is too long|exceed context limit|input is too long|too many input tokens"
    rb"|input token count[^.]{0,40}exceeds|exceeds the available context|maximum model length"
    rb"|too many tokens: |maximum prompt length|reduce the length of the messages"
    rb"|tokens? \+ [`']?max_new_tokens"
    rb"|exceeds? (?:the |this )?(?:model'?s? )?(?:maximum )?context (?:length|window|size)",
    re.I,
)
_CONTENT = re.compile(
    rb"responsibleaipolicyviolation|content_policy_violation|content management policy"
    rb"|blocked by content filtering|output blocked by content|data_inspection_failed|content_filter\b",
    re.I,
)


def named(error: UpstreamRefused) -> None:
    """Keeps what kind of refusal it is, as the code that OpenAI's clients know, for when its words are
    gone.
    """
    if error.data is None:
        code = OVERFLOW if is_overflow(error) else CONTENT if is_content(error) else ""
        error.data = {"code": code} if code else None


def is_overflow(error: UpstreamFault) -> bool:
    """Whether the request did not fit into the model's context window."""
    return _says(error, _LONG)


def is_content(error: UpstreamFault) -> bool:
    """Whether the provider refused what the request is about."""
    return _says(error, _CONTENT)


def _says(error: UpstreamFault, words: re.Pattern[bytes]) -> bool:
    if not isinstance(error, UpstreamRefused) or error.upstream_status not in _STATUSES:
        return False
    code = error.data.get("code") if isinstance(error.data, dict) else None
    said = (error.body, error.detail.encode("utf-8", "replace"), str(code or "").encode())
    return any(words.search(text) for text in said)
