"""What RFC 9111 says about keeping an answer, rule by rule."""

import pytest

from api_gateway.cache_control import Life, directives, life, matches

Headers = dict[str, str]


def _raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize(
    ("said", "alone", "shared"),
    [
        ("max-age=60", 60, None),
        ("public, max-age=60", 60, 60),
        ("Public,MAX-AGE=60", 60, 60),
        ("max-age=60, s-maxage=90", 60, 90),
        ("s-maxage=90", None, 90),
        ("private, max-age=60", 60, None),
        ('private="x", public, max-age=60', 60, None),
        ("no-store, max-age=60", None, None),
        ("max-age=60, max-age=0", 60, None),
        ('max-age="60"', 60, None),
        ("max-age=-1", None, None),
        ("max-age=1.5", None, None),
        ("max-age", None, None),
        ("max-age=999999999999999999", 31_536_000, None),
        ("", None, None),
    ],
)
def test_how_long_an_answer_is_fresh(said: str, alone: int | None, shared: int | None) -> None:
    headers = _raw({"cache-control": said})
    for is_shared, wanted in ((False, alone), (True, shared)):
        found = life(200, headers, shared=is_shared)
        assert (found.seconds if found else None) == wanted


def test_a_tag_is_reason_enough_to_keep_what_is_stale() -> None:
    assert life(200, _raw({"cache-control": "no-cache", "etag": '"a"'}), shared=False) == Life(0, 0, '"a"')
    assert life(200, _raw({"etag": '"a"'}), shared=False) == Life(0, 0, '"a"')
    assert life(200, _raw({"cache-control": "no-store", "etag": '"a"'}), shared=False) is None


def test_the_time_in_other_caches_counts() -> None:
    assert life(200, _raw({"cache-control": "max-age=60", "age": "59"}), shared=False) == Life(60, 59, "")
    assert life(200, _raw({"cache-control": "max-age=60", "age": "60"}), shared=False) is None


@pytest.mark.parametrize("status", [201, 206, 302, 304, 400, 401, 403, 500, 503])
def test_other_statuses_are_not_kept(status: int) -> None:
    assert life(status, _raw({"cache-control": "public, max-age=60", "etag": '"a"'}), shared=False) is None


def test_directives_may_stand_in_several_headers() -> None:
    headers = [(b"cache-control", b"max-age=60"), (b"cache-control", b"No-Store")]
    assert directives(headers) == {"max-age": "60", "no-store": ""}


@pytest.mark.parametrize(
    ("asked", "tag", "same"),
    [
        ('"a"', '"a"', True),
        ('W/"a"', '"a"', True),
        ('"b", "a"', 'W/"a"', True),
        ("*", '"a"', True),
        ("*", "", False),
        ('"b"', '"a"', False),
        ("a", '"a"', False),
    ],
)
def test_tags_are_compared_weakly(asked: str, tag: str, same: bool) -> None:
    assert matches(asked, tag) is same
