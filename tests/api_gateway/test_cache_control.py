"""What RFC 9111 says about keeping an answer, rule by rule."""

import pytest

from api_gateway.cache_control import Life, directives, life, matches

Headers = dict[str, str]
# Sun, 06 Nov 1994 08:49:37 GMT
NOW = 784_111_777.0


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
        found = life(200, headers, shared=is_shared, now=NOW)
        assert (found.seconds if found else None) == wanted


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT"}, 60),
        ({"expires": "Sunday, 06-Nov-94 08:50:37 GMT"}, 60),
        ({"expires": "Sun Nov  6 08:50:37 1994"}, 60),
        # How long it was to be fresh is told by the service's own clock, where it shows that.
        ({"expires": "Sun, 06 Nov 1994 10:00:30 GMT", "date": "Sun, 06 Nov 1994 10:00:00 GMT"}, 30),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "yesterday"}, 60),
        ({"expires": "Sun, 06 Nov 2094 08:50:37 GMT"}, 31_536_000),
        ({"expires": "Sun, 06 Nov 1994 08:49:37 GMT"}, None),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "date": "Sun, 06 Nov 1994 09:00:00 GMT"}, None),
        ({"expires": "0"}, None),
        ({"expires": "-1"}, None),
        ({"expires": ""}, None),
        ({"expires": "Sun, 41 Nov 1994 08:50:37 GMT"}, None),
        ({"expires": "Sun, 06 Nov 99999999999999999999 08:50:37 GMT"}, None),
        # What `cache-control` says of it comes first, be it of use or not.
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "max-age=5"}, 5),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "max-age=0"}, None),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "max-age=x"}, None),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "no-cache"}, None),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "no-store"}, None),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "cache-control": "s-maxage=5"}, 60),
        ({"expires": "Sun, 06 Nov 1994 08:50:37 GMT", "age": "60"}, None),
    ],
)
def test_a_date_says_how_long_where_nothing_else_does(headers: Headers, seconds: int | None) -> None:
    found = life(200, _raw(headers), shared=False, now=NOW)
    assert (found.seconds if found else None) == seconds


def test_a_date_alone_makes_nothing_everybodys() -> None:
    headers = {"expires": "Sun, 06 Nov 1994 08:50:37 GMT"}
    assert life(200, _raw(headers), shared=True, now=NOW) is None
    said = _raw(headers | {"cache-control": "public"})
    assert life(200, said, shared=True, now=NOW) == Life(60, 0, "")
    said = _raw(headers | {"cache-control": "s-maxage=5"})
    assert life(200, said, shared=True, now=NOW) == Life(5, 0, "")


def test_a_tag_is_reason_enough_to_keep_what_is_stale() -> None:
    assert life(200, _raw({"cache-control": "no-cache", "etag": '"a"'}), shared=False, now=NOW) == Life(
        0, 0, '"a"'
    )
    assert life(200, _raw({"etag": '"a"'}), shared=False, now=NOW) == Life(0, 0, '"a"')
    assert life(200, _raw({"cache-control": "no-store", "etag": '"a"'}), shared=False, now=NOW) is None


def test_the_time_in_other_caches_counts() -> None:
    assert life(200, _raw({"cache-control": "max-age=60", "age": "59"}), shared=False, now=NOW) == Life(
        60, 59, ""
    )
    assert life(200, _raw({"cache-control": "max-age=60", "age": "60"}), shared=False, now=NOW) is None


@pytest.mark.parametrize("status", [201, 206, 302, 304, 400, 401, 403, 500, 503])
def test_other_statuses_are_not_kept(status: int) -> None:
    assert (
        life(status, _raw({"cache-control": "public, max-age=60", "etag": '"a"'}), shared=False, now=NOW)
        is None
    )


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
