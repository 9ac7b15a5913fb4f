"""Texts that stand together are read together: what is spread over neighbours in one message is one text."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from shared.guards.verdict import Said


def grouped(texts: Iterable[Said]) -> Iterator[str]:
    for _, neighbours in groupby(texts, key=lambda said: (said.group, said.who)):
        text = "\n".join(said.text for said in neighbours if said.text)
        if text:
            yield text
