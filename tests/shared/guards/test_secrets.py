"""Credentials in texts, both ways."""

import base64
import random

import pytest

from shared.errors import Forbidden
from shared.guards.secrets import FORMS
from shared.guards.section import SecretsSection
from shared.identity.keys import new_key
from tests.shared.guards.calls import Call, last, pieces

_CHANCE = random.Random(3)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"


def _letters(count: int) -> str:
    return "".join(_CHANCE.choice(_LETTERS) for _ in range(count))


def _pem() -> str:
    body = base64.b64encode(_CHANCE.randbytes(1_200)).decode()
    return "\n".join(
        ["-----BEGIN RSA " + "PRIVATE KEY-----", *pieces(body, 64), "-----END RSA PRIVATE KEY-----"]
    )


# Made here, so that no scanner finds them in this file.
SECRETS = {
    "GATESTACK_KEY": new_key()[0],
    "ANTHROPIC_KEY": "sk-ant-api03-" + _letters(80),
    "OPENROUTER_KEY": "sk-or-v1-" + _letters(60),
    "OPENAI_KEY": "sk-proj-" + _letters(60),
    "GOOGLE_KEY": "AIza" + _letters(35),
    "GOOGLE_TOKEN": "ya29." + _letters(60),
    "XAI_KEY": "xai-" + _letters(80),
    "HUGGINGFACE_TOKEN": "hf_" + _letters(34),
    "REPLICATE_TOKEN": "r8_" + _letters(37),
    "PERPLEXITY_KEY": "pplx-" + _letters(48),
    "AWS_ACCESS_KEY": "AKIA" + _letters(16).upper(),
    "AWS_SECRET_KEY": "aws_secret_access_key = " + _letters(40),
    "AZURE_KEY": "AccountKey=" + _letters(86) + "==",
    "GITHUB_TOKEN": "ghp_" + _letters(36),
    "GITLAB_TOKEN": "glpat-" + _letters(20),
    "SLACK_TOKEN": "xoxb-" + _letters(40),
    "SLACK_WEBHOOK": "hooks.slack.com/services/" + _letters(44),
    "STRIPE_KEY": "sk_live_" + _letters(24),
    "NPM_TOKEN": "npm_" + _letters(36),
    "PYPI_TOKEN": "pypi-" + _letters(100),
    "SENDGRID_KEY": f"SG.{_letters(22)}.{_letters(43)}",
    "JWT": f"eyJ{_letters(20)}.eyJ{_letters(40)}.{_letters(43)}",
    "PRIVATE_KEY": _pem(),
    "URL_PASSWORD": f"postgres://app:{_letters(12)}@",
    "BEARER_TOKEN": "Bearer " + _letters(40),
    "ASSIGNED_SECRET": f'api_key: "{_letters(24)}"',
}


def test_there_is_a_sample_of_every_form() -> None:
    assert set(SECRETS) == {name for name, _ in FORMS}


@pytest.mark.parametrize("name", SECRETS)
async def test_it_is_redacted_on_its_way_out_and_back(name: str) -> None:
    call = Call(SecretsSection(name="keys"))
    text = f"Here: {SECRETS[name]} , is it right?"
    assert last(await call.request(text)) == f"Here: [{name}] , is it right?"
    assert await call.answer(text) == f"Here: [{name}] , is it right?"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("size", [1, 4, 9])
async def test_it_is_redacted_in_a_stream(name: str, size: int) -> None:
    out = await Call(SecretsSection(name="keys")).stream(
        pieces(f"Here: {SECRETS[name]} , is it right?", size)
    )
    assert "".join(out) == f"Here: [{name}] , is it right?"


async def test_a_private_key_that_is_too_long_to_hold_ends_the_stream() -> None:
    call = Call(SecretsSection(name="keys"))
    endless = "-----BEGIN PRIVATE " + "KEY-----\n" + "A" * 40_000
    with pytest.raises(Forbidden, match="PRIVATE_KEY"):
        await call.stream(pieces(endless, 1_000))


@pytest.mark.parametrize(
    "text",
    [
        "The key to success is a good night's sleep.",
        "sk-learn and sk-1 are no keys, nor is AKIA alone; see https://example.com:8080/a@b",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 and 3f786850e387550fdab836ed7e6dc881de23001b",
        "password: ask your operator. Bearer of bad news.",
    ],
)
async def test_what_is_no_secret_passes(text: str) -> None:
    call = Call(SecretsSection(name="keys"))
    assert last(await call.request(text)) == text


async def test_long_random_words_count_where_that_is_wanted() -> None:
    word = "dGhpcyBpcyBub3QgYSBzZWNyZXQ5YbX7kQ"
    assert last(await Call(SecretsSection(name="keys")).request(word)) == word
    assert (
        last(await Call(SecretsSection(name="keys", entropy=True)).request(f"a {word} b"))
        == "a [RANDOM_WORD] b"
    )
    shout = "internationalization-of-everything is no secret"
    assert last(await Call(SecretsSection(name="keys", entropy=True)).request(shout)) == shout


async def test_it_is_refused_where_that_is_wanted() -> None:
    with pytest.raises(Forbidden, match="OPENAI_KEY"):
        await Call(SecretsSection(name="keys", action="refuse")).request(SECRETS["OPENAI_KEY"])
