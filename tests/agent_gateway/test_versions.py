"""Which A2A version a request speaks: by header or query, or by how its operation is named."""

import pytest

from agent_gateway.versions import of_method, of_path
from shared.errors import BadRequest
from tests.support.exchange import exchange


@pytest.mark.parametrize("version", ["1.0", "1.0.1", " 1.0 ", "", None])
def test_an_operation_of_1_0_is_served_with_or_without_its_version(version: str | None) -> None:
    headers = {} if version is None else {"A2A-Version": version}
    assert of_method(exchange(headers=headers), "SendMessage") == "1.0"


@pytest.mark.parametrize("version", ["0.3", "0.3.0", None])
def test_an_operation_of_0_3_is_served_with_or_without_its_version(version: str | None) -> None:
    headers = {} if version is None else {"A2A-Version": version}
    assert of_method(exchange(headers=headers), "message/send") == "0.3"


def test_the_version_may_stand_in_the_query() -> None:
    assert of_method(exchange(query_string=b"A2A-Version=1.0"), "SendMessage") == "1.0"
    with pytest.raises(BadRequest):
        of_method(exchange(query_string=b"A2A-Version=0.3"), "SendMessage")


@pytest.mark.parametrize(
    ("version", "method"),
    [
        *((version, "SendMessage") for version in ("0.3", "2.0", "1.1", "1", "one", "1.0, 0.3", "0.2")),
        *((version, "message/send") for version in ("1.0", "0.2.5")),
    ],
)
def test_any_other_version_is_refused_and_told_what_is_supported(version: str, method: str) -> None:
    with pytest.raises(BadRequest, match="A2A-Version: ") as raised:
        of_method(exchange(headers={"A2A-Version": version}), method)
    assert raised.value.code == -32009
    assert raised.value.data == {"supportedVersions": "0.3, 1.0"}


def test_two_versions_in_one_request_are_refused() -> None:
    doubled = exchange()
    doubled.headers = [(b"a2a-version", b"1.0"), (b"a2a-version", b"0.3")]
    with pytest.raises(BadRequest, match="more than once"):
        of_method(doubled, "SendMessage")


@pytest.mark.parametrize(
    ("version", "path", "found"),
    [
        (None, "/message:send", "1.0"),
        (None, "/v1/message:send", "0.3"),
        ("1.0", "/v1/message:send", "1.0"),
        ("0.3", "/v1/message:send", "0.3"),
        ("0.3", "/message:send", ""),
        ("0.9", "/v1/message:send", ""),
    ],
)
def test_over_http_json_the_path_says_it_where_the_header_does_not(
    version: str | None, path: str, found: str
) -> None:
    asking = exchange(headers={} if version is None else {"A2A-Version": version})
    if found:
        assert of_path(asking, path) == found
    else:
        with pytest.raises(BadRequest) as raised:
            of_path(asking, path)
        assert raised.value.code == -32009
