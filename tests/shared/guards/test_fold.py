"""Texts as a reader takes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.guards.fold import fold


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("plain", "plain"),
        ("ﬁne", "fine"),
        ("ｗｉｄｅ", "wide"),
        ("𝐛𝐨𝐥𝐝", "bold"),
        ("in\u200bvi\u2060si\u00adble", "invisible"),
        ("раypаl", "paypal"),
        ("\U000e0069\U000e0067\U000e006e", "ign"),
        ("привет", "привет"),
        ("日本語 é", "日本語 é"),
    ],
)
def test_what_is_seen_is_what_is_read(sent: str, read: str) -> None:
    assert fold(sent).text == read


@given(st.text(max_size=60))
def test_places_lead_back_in_order_and_cover_the_whole(text: str) -> None:
    folded = fold(text)
    places = [folded.place(index) for index in range(len(folded.text) + 1)]
    assert places == sorted(places)
    assert places[-1] == len(text)
    assert all(folded.index(folded.place(index)) <= index for index in range(len(folded.text) + 1))
