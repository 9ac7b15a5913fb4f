"""Hard and easy calls are told apart, on prompts that are not among the examples."""

import pytest

from llm_gateway.chat.parts import Image, Text
from llm_gateway.chat.request import Chat, Message
from llm_gateway.router.classify import Classifier, features
from llm_gateway.router.section import ClassifierSection, Examples

HARD = [
    "Write a Rust function that merges overlapping intervals and prove that its complexity is O(n log n).",
    "Our pods are killed for memory after two days; here are heap profiles. What leaks, and how to be sure?",
    "Compare event sourcing and CRUD for a claims platform, with trade-offs for audit and erasure.",
    "Let f be continuous on [0,1] with f(0)=f(1). Show there exists x with f(x)=f(x+1/2).",
    "def foo(x):\n    return x + 1\n\nWhy does this code deadlock when called from two threads? Rewrite it.",
    "Explain the difference between Paxos and Raft and when leader leases break linearizability.",
    "Erkläre Schritt für Schritt, warum dieser Beweis falsch ist, und gib einen korrekten Beweis.",
]
EASY = [
    "hi there",
    "What's the weather like?",
    "translate 'thank you very much' to Spanish",
    "Who wrote Hamlet?",
    "make this sentence more polite: send me the file",
    "What is 15% of 80?",
    "name three fruits",
    "Wie heißt die Hauptstadt von Italien?",
]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(ClassifierSection())


def chat(text: str, role: str = "user") -> Chat:
    return Chat(origin="openai_chat", model="m", messages=(Message(role=role, parts=(Text(text=text),)),))  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt", HARD)
def test_hard_prompts(classifier: Classifier, prompt: str) -> None:
    assert classifier.score(chat(prompt)) >= 0.5


@pytest.mark.parametrize("prompt", EASY)
def test_easy_prompts(classifier: Classifier, prompt: str) -> None:
    assert classifier.score(chat(prompt)) < 0.5


def test_a_call_without_words_is_easy(classifier: Classifier) -> None:
    image = Chat(
        origin="x", model="m", messages=(Message(role="user", parts=(Image(url="https://x/y.png"),)),)
    )
    assert classifier.score(image) < 0.5
    assert classifier.score(chat("Prove Fermat's last theorem step by step.", role="system")) < 0.5


def test_examples_of_the_operators_own_count(classifier: Classifier) -> None:
    taught = Classifier(
        ClassifierSection(examples=Examples(hard=["Check the freight manifest of the vessel"] * 3))
    )
    prompt = chat("Check the freight manifest of this vessel")
    assert taught.score(prompt) > classifier.score(prompt) + 0.1


def test_features_are_shares() -> None:
    text = "why how explain compare " * 500 + "```def f(): return 1 + 1;```\n" * 9 + "\\frac \\sum prove"
    assert all(0.0 <= value <= 1.0 for value in features(text).values())
