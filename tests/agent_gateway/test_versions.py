"""Which A2A version a request speaks, and which extensions it may bring."""

import pytest

from agent_gateway.versions import check_version, extensions
from shared.errors import BadRequest
from tests.support.exchange import exchange


@pytest.mark.parametrize("version", ["1.0", "1.0.1", " 1.0 "])
def test_our_version_is_served_whatever_its_patch(version: str) -> None:
    check_version(exchange(headers={"A2A-Version": version}), "SendMessage")


def test_the_version_may_stand_in_the_query() -> None:
    check_version(exchange(query_string=b"A2A-Version=1.0"), "SendMessage")
    with pytest.raises(BadRequest):
        check_version(exchange(query_string=b"A2A-Version=0.3"), "SendMessage")


@pytest.mark.parametrize("version", ["0.3", "2.0", "1.1", "1", "one", "1.0, 0.3", ""])
def test_any_other_version_is_refused_and_told_what_is_supported(version: str) -> None:
    with pytest.raises(BadRequest, match=r"A2A-Version: 1\.0") as raised:
        check_version(exchange(headers={"A2A-Version": version or "0.3"}), "SendMessage")
    assert raised.value.code == -32009
    assert raised.value.data == {"supportedVersions": "1.0"}


def test_two_versions_in_one_request_are_refused() -> None:
    doubled = exchange()
    doubled.headers = [(b"a2a-version", b"1.0"), (b"a2a-version", b"0.3")]
    with pytest.raises(BadRequest, match="more than once"):
        check_version(doubled, "SendMessage")


def test_an_operation_with_a_name_of_1_0_needs_no_header() -> None:
    check_version(exchange(), "SendMessage")


@pytest.mark.parametrize("method", ["message/send", "tasks/get", "agent/getAuthenticatedExtendedCard"])
def test_an_operation_of_0_3_without_a_header_is_taken_for_what_it_is(method: str) -> None:
    with pytest.raises(BadRequest, match=r"0\.3") as raised:
        check_version(exchange(), method)
    assert raised.value.code == -32009


def test_only_extensions_on_the_list_go_on_each_once() -> None:
    asked = exchange(headers={"A2A-Extensions": "https://e/a, https://e/b,https://e/a"})
    assert extensions(asked, frozenset(["https://e/a", "https://e/c"])) == ("https://e/a",)
    assert extensions(exchange(), frozenset(["https://e/a"])) == ()
