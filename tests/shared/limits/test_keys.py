"""Names in Redis hold what callers choose, and callers choose badly on purpose."""

import string

from hypothesis import given
from hypothesis import strategies as st

from shared.limits.keys import encoded, tenant_keys

ODD = ["", "%", "%25", "a:b", "a}b", "{a}", "a{", "a b", "a\nb", "a\tb", "é", "\udc80", "#", "a/b", "x" * 64]
ODD += ["x" * 65, "x" * 66, "#" + "0" * 40]
_ALLOWED = set(string.ascii_letters + string.digits + "@:/._~-%#")

texts = st.one_of(
    st.sampled_from(ODD), st.text(max_size=8), st.text(alphabet="{}%:#a\n", max_size=6), st.text(min_size=60)
)


@given(texts, texts)
def test_different_texts_are_different_parts_of_a_key(one: str, other: str) -> None:
    assert (encoded(one) == encoded(other)) == (one == other)


@given(texts)
def test_a_part_is_plain_short_and_never_empty(text: str) -> None:
    part = encoded(text)
    assert part
    assert set(part) <= _ALLOWED
    assert len(part) <= 64 * 12


@given(texts)
def test_a_tenant_is_exactly_the_hash_tag(tenant: str) -> None:
    keys = tenant_keys(tenant)
    for key in (keys.due, keys.ledger, keys.lease("x"), keys.chain("{a}"), keys.row(b"1" * 32)):
        start = key.index("{")
        assert key[start + 1 : key.index("}", start)] == encoded(tenant)


def test_plain_names_stay_readable() -> None:
    keys = tenant_keys("acme")
    assert keys.ledger == "gs:{acme}:ledger"
    assert keys.chain("0123abc") == "gs:{acme}:chain:0123abc"
    assert encoded("user:alice@example.com") == "user:alice@example.com"
