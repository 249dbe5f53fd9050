"""Cell by cell: the number that a table gives, as precisely as it is printed, and the one that its run has stored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from a2u_bench.claims.read import Grid, read
from a2u_bench.claims.remake import Remade, remake
from a2u_bench.plain import plain
from a2u_bench.units import PREFIXES, SPREAD

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_CELL = re.compile(rf"({_NUMBER})(?:{SPREAD}({_NUMBER}))?")
_HEADING = re.compile(r"(?P<label>.*?) \[(?P<prefix>[" + "".join(PREFIXES.values()) + r"]?)(?P<unit>s|B|dB|)\]")
SHOWN = 20


@dataclass(frozen=True)
class Wrong:
    """A cell that does not stand: its row and column, what the table gives, and what is stored."""

    row: str
    column: str
    given: str
    stored: str

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return plain(f"{self.row}: {self.column}: given {self.given or 'nothing'}, stored {self.stored or 'nothing'}")


@dataclass(frozen=True)
class Checked:
    """What became of a table: of which runs it is, how many cells were compared, and those that are wrong."""

    file: str
    runs: tuple[str, ...]
    cells: int
    wrong: tuple[Wrong, ...]
    remarks: tuple[str, ...] = ()  # on what is stored: rows that their own samples contradict

    @property
    def holds(self) -> bool:
        """Whether every number stands."""
        return not self.wrong and self.cells > 0

    def lines(self) -> Iterator[str]:
        """What to tell a person."""
        for wrong in self.wrong[:SHOWN]:
            yield wrong.sentence
        if len(self.wrong) > SHOWN:
            yield f"… and {len(self.wrong) - SHOWN} more"
        yield from map(plain, self.remarks)
        runs = " and ".join(self.runs)
        if self.holds:
            yield plain(f"{self.file}: all {self.cells} values stand in {runs}; title and notes are not checked")
        else:
            yield plain(f"{self.file}: {len(self.wrong)} of {self.cells} values do not stand in {runs}")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "holds": self.holds}


def check(file: Path, run: Path | None = None) -> Checked:
    """Compare each table in `file` with what its run, or `run`, has stored. UsageError where either cannot be read."""
    printed = read(file)
    runs, doubts, remade = remake(printed, file, run)
    cells, wrong = 0, []
    for grid in printed.grids:
        if grid.rows:
            count, found = _compare(grid, _nearest(grid, remade))
            cells += count
            wrong += found
    return Checked(str(file), tuple(str(one.path) for one in runs), cells, tuple(wrong), doubts)


def agrees(given: str, stored: str, shift: int = 0) -> bool:
    """Whether a cell says what is stored: each number to its last printed digit; a text to the letter.

    `shift`: the given number counts in units of 10^shift of the stored one's. A spread may be left out.
    """
    one, other = _CELL.fullmatch(given), _CELL.fullmatch(stored)
    if not given:
        return True
    if one is None or other is None:
        return given == stored
    pairs = [(a, b) for a, b in zip(one.groups(), other.groups(), strict=True) if a is not None]
    return all(b is not None and _same(Decimal(a).scaleb(shift), Decimal(b)) for a, b in pairs)


def _same(given: Decimal, stored: Decimal) -> bool:
    digit = Decimal(1).scaleb(int(given.as_tuple().exponent))
    finer = Decimal(1).scaleb(int(stored.as_tuple().exponent))
    if finer >= digit:  # as many digits as are stored in print, or more: nothing is left to round
        return given == stored
    return abs(given - stored) <= (digit + finer) / 2


def _compare(given: Grid, now: Remade) -> tuple[int, list[Wrong]]:
    """How many cells were compared, and those that differ."""
    columns = _columns(given.headings, now.grid.headings)
    keys = [(place, columns[place][0]) for place in columns if columns[place][0] in now.keys]
    measured = [place for place in columns if columns[place][0] not in now.keys]
    wrong = [
        Wrong("every row", heading, "a column", "no such column")
        for place, heading in enumerate(given.headings)
        if place not in columns
    ]
    waiting: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in now.grid.rows:
        waiting.setdefault(tuple(row[at] for _, at in keys), []).append(row)
    cells = 0
    for number, row in enumerate(given.rows, start=1):
        key = tuple(row[place] for place, _ in keys)
        name = " ".join(part for part in key if part) or f"row {number}"
        rows = waiting.get(key)
        if not rows:
            wrong.append(Wrong(name, "the whole row", "a case", "no such case"))
            cells += 1
            continue
        stored = rows.pop(0) if len(rows) > 1 else rows[0]
        for place in measured:
            at, shift = columns[place]
            cells += bool(row[place])
            if not agrees(row[place], stored[at], shift):
                units = (_unit(given.headings[place]), _unit(now.grid.headings[at])) if shift else ("", "")
                texts = (f"{text} {unit}".strip() for text, unit in zip((row[place], stored[at]), units, strict=True))
                wrong.append(Wrong(name, given.headings[place], *texts))
    return cells, wrong


def _columns(given: Sequence[str], now: Sequence[str]) -> dict[int, tuple[int, int]]:
    """Where each given column stands today, and by which power of ten its unit differs."""
    places: dict[tuple[str, str, int], tuple[int, int]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for place, heading in enumerate(now):
        label, exponent, unit = _parts(heading)
        seen[label, unit] += 1
        places[label, unit, seen[label, unit]] = (place, exponent)
    found = {}
    seen.clear()
    for place, heading in enumerate(given):
        label, exponent, unit = _parts(heading)
        seen[label, unit] += 1
        there = places.get((label, unit, seen[label, unit]))
        if there is not None:
            found[place] = (there[0], exponent - there[1])
    return found


def _parts(heading: str) -> tuple[str, int, str]:
    """Label, power of ten and unit of `latency [ms]`."""
    parts = _HEADING.fullmatch(heading)
    if parts is None:
        return heading, 0, ""
    exponents = {prefix: exponent for exponent, prefix in PREFIXES.items()}
    return parts["label"], exponents[parts["prefix"]], parts["unit"]


def _unit(heading: str) -> str:
    """`ms` of `latency [ms]`."""
    parts = _HEADING.fullmatch(heading)
    return parts["prefix"] + parts["unit"] if parts else ""


def _nearest(given: Grid, remade: Sequence[Remade]) -> Remade:
    """Of several tables, the one that has most of its headings."""
    return max(remade, key=lambda one: len(_columns(given.headings, one.grid.headings)))
