import pytest

from shared.dialects.model_paths import spoken_at


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "openai"),
        ("/v1/models", "openai"),
        ("/v1/models/org:team/model", "openai"),
        ("/v1/models/gpt-4o", "openai"),
        ("/v1/messages", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/anthropic/v1/models", "anthropic"),
        ("/v1/models/flash:generateContent", "gemini"),
        ("/v1/models/org/flash:streamGenerateContent", "gemini"),
        ("/v1beta/models", "gemini"),
        ("/v1beta1/publishers/google/models/flash:generateContent", "gemini"),
        ("/v1/projects/p/locations/l/publishers/google/models/flash:generateContent", "gemini"),
        ("/v2/rerank", "openai"),
        ("/gemini/v1/models/flash:countTokens", "gemini"),
        ("/anthropical", "openai"),
    ],
)
def test_a_path_tells_which_clients_use_it(path: str, dialect: str) -> None:
    assert spoken_at(path) == dialect
