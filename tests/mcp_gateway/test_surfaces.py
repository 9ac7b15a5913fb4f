"""Names on the merged endpoint and on a server's own."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.methods import Kind
from mcp_gateway.surfaces import MERGED, Surface, joined
from shared.errors import NotFound

SERVERS = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4}){0,2}", fullmatch=True)


@given(SERVERS, st.from_regex(r"[a-zA-Z0-9_-]{1,28}", fullmatch=True))
def test_a_tools_name_is_read_back_as_it_was_written(server: str, name: str) -> None:
    assert MERGED.split("tool", joined(server, "tool", name)) == (server, name)


@given(SERVERS, st.text(min_size=1, max_size=60), st.sampled_from(["prompt", "resource", "template"]))
def test_so_is_any_prompt_and_any_resource(server: str, name: str, kind: Kind) -> None:
    assert MERGED.split(kind, joined(server, kind, name)) == (server, name)


@given(SERVERS, st.text(min_size=1, max_size=200))
def test_models_accept_every_tools_name(server: str, name: str) -> None:
    found = joined(server, "tool", name)
    assert len(found) <= 64
    assert all(char.isascii() and (char.isalnum() or char in "_-") for char in found)


def test_two_tools_that_have_to_be_renamed_stay_apart() -> None:
    assert joined("a", "tool", "x.y") != joined("a", "tool", "x/y")


def test_on_a_servers_own_endpoint_a_name_is_a_name() -> None:
    assert Surface("git").split("tool", "other__tool") == ("git", "other__tool")


@pytest.mark.parametrize("name", ["nothing", "__x", "git__", "git_log"])
def test_a_name_without_a_server_is_nobodys(name: str) -> None:
    if name == "__x":
        assert MERGED.split("tool", name) == ("", "x")
        return
    with pytest.raises(NotFound):
        MERGED.split("tool", name)


def test_results_name_resources_as_the_endpoint_does() -> None:
    result = {
        "content": [
            {"type": "resource_link", "uri": "file:///a", "name": "a"},
            {"type": "resource", "resource": {"uri": "file:///b", "text": "uri"}},
            {"type": "text", "text": '"uri"'},
        ],
        "structuredContent": {"uri": "file:///c"},
    }
    body = msgspec.json.encode(result)
    assert Surface("fs").result("fs", body) == body
    found = msgspec.json.decode(MERGED.result("fs", body))
    assert found["content"][0]["uri"] == "fs+file:///a"
    assert found["content"][1]["resource"]["uri"] == "fs+file:///b"
    assert found["structuredContent"] == {"uri": "file:///c"}


@pytest.mark.parametrize(
    "body", [b'[{"uri":1}]', b'{"content":{"uri":1}}', b'{"contents":["uri",{"uri":3}]}']
)
def test_a_result_of_an_unexpected_shape_stays_as_it_is(body: bytes) -> None:
    assert msgspec.json.decode(MERGED.result("fs", body)) == msgspec.json.decode(body)
