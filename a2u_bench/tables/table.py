"""A table as text: headings and cells, ready for any renderer. Whoever only prints loads nothing to measure with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOTES = ("none", "short", "full")
"""How much is said under a table."""


@dataclass(frozen=True)
class Heading:
    """A column's name in the schema, what is written over it, its unit with the prefix, and which side it keeps to."""

    name: str
    label: str
    unit: str = ""
    right: bool = True
    whole: bool = False  # never broken into lines
    most: int | None = None  # letters of width, beyond which words go to the next line

    @property
    def text(self) -> str:
        """Label and unit as one text."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


@dataclass(frozen=True)
class Table:
    """Text, ready for any renderer: each row of `cells` has one text a heading; `bold` are the (row, column) best.

    `tones`: which cells are significantly "better" or "worse" than the reference's. `rule`: the row before which a line
    is drawn, where a person's own operators begin. `subjects`: the operator of each row.
    """

    title: str
    headings: tuple[Heading, ...]
    cells: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    bold: frozenset[tuple[int, int]] = frozenset()
    tones: Mapping[tuple[int, int], str] = field(default_factory=dict)
    rule: int | None = None
    subjects: tuple[str, ...] = ()
