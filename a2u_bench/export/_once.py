"""Columns of text in the letters of a format: each different text is looked at once, where it has to be at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter

from a2u_bench.table import Table

_HARMLESS = re.compile("[0-9A-Za-z ,.()×±–]*")
"""What Markdown and HTML show as it is."""


def columns(table: Table) -> list[list[str]]:
    """The cells by column."""
    return [list(map(itemgetter(place), table.cells)) for place in range(len(table.headings))]


def bold(table: Table) -> list[list[int]]:
    """The rows of each column that are bold."""
    found: list[list[int]] = [[] for _ in table.headings]
    for row, place in table.bold:
        found[place].append(row)
    return found


def escaped(texts: Sequence[str], escape: Callable[[str], str]) -> list[str]:
    """The texts of a column as Markdown or HTML, which `escape` knows, has them."""
    if _HARMLESS.fullmatch("".join(texts)):
        return list(texts)
    return once(texts, escape)


def once(texts: Sequence[str], shown: Callable[[str], str]) -> list[str]:
    """What each text is shown as."""
    known = {text: shown(text) for text in set(texts)}
    return [known[text] for text in texts]
