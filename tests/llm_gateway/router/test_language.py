"""A guess at the script and the language of a text."""

import pytest

from llm_gateway.router.language import language_of, script_of

TEXTS = {
    "en": "What is the best way to learn how to swim?",
    "de": "Kannst du mir bitte sagen, wie das mit der Steuer ist?",
    "fr": "Comment est-ce que je peux apprendre une langue dans un an ?",
    "es": "¿Cómo se dice esto en el idioma de los gatos?",
    "it": "Come si dice questo nella lingua della musica e del vino?",
    "pt": "Você sabe como se faz um bolo com uma receita do Brasil?",
    "nl": "Wat is het verschil tussen een fiets en de auto van mijn buurman?",
    "pl": "Czy to jest dobre i jak się to robi w domu?",
    "sv": "Hur kan jag få det här att fungera och vad är det som är fel?",
    "tr": "Bu iş için ne kadar zaman gerekli ve nasıl yapılır?",
    "ru": "Как приготовить борщ?",
    "ja": "これは何ですか。日本語で教えてください。",
    "ko": "안녕하세요, 도와주세요",
    "zh": "请问今天天气怎么样？",
    "el": "Τι κάνεις;",
    "he": "מה שלומך?",
    "ar": "كيف حالك اليوم؟",
    "hi": "आप कैसे हैं?",
    "th": "สวัสดีครับ",
}
SCRIPTS = {
    "en": "latin",
    "ru": "cyrillic",
    "ja": "kana",
    "ko": "hangul",
    "zh": "han",
    "ar": "arabic",
    "hi": "devanagari",
}


@pytest.mark.parametrize("language", TEXTS)
def test_languages(language: str) -> None:
    assert language_of(TEXTS[language]) == language


@pytest.mark.parametrize("language", SCRIPTS)
def test_scripts(language: str) -> None:
    assert script_of(TEXTS[language]) == SCRIPTS[language]


@pytest.mark.parametrize("text", ["", "12345 + 67", "🙂🙂", "xyzzy plugh frobnicate"])
def test_where_nothing_can_be_said_nothing_is_said(text: str) -> None:
    assert language_of(text) == ""
