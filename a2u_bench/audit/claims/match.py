"""One line of a text against stored rows: each of its numbers must be a rounding of a value of a row it is about."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2u_bench.audit.claims import cells
from a2u_bench.audit.claims.cells import Over
from a2u_bench.audit.claims.spoken import NUMBER, Spoken, numbers
from a2u_bench.columns import RATIO, SUBJECT, is_axis
from a2u_bench.judge.seeds import over_seeds
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import is_trained, to_records
from a2u_bench.tables.column import SHARES, WORK
from a2u_bench.tables.view import View
from a2u_bench.units import PREFIXES, TO

EXPONENTS = (*PREFIXES, cells.PER_CENT)
"""Powers of ten in which a number may count: those of the prefixes, and per cent."""

SAME = 1e-12
"""Of a number: less is the computer's own rounding."""

RATIOS = frozenset({RATIO, "after/before"})
MEASURED = (
    *("latency", "latency_device", "latency_cold", "params", "macs"),
    *("peak_memory", "workspace_memory", "saved_memory"),
)
"""What a text may say that one operator has so many times more of than another."""

_BETWEEN = re.compile(r"[\s|&,;\"()]+")

_SHAPE = re.compile(r"\b\d+(?:[x×]\d+)+\b")


@dataclass(frozen=True)
class Wrong:
    """A number that does not stand: of which row, the column that comes nearest, what is given, and what is stored."""

    row: str
    column: str
    given: str
    stored: str

    @property
    def sentence(self) -> str:
        """All of it in a line."""
        return plain(f"{self.row}: given {self.given}, stored {self.stored or 'nothing'} ({self.column})")


@dataclass(frozen=True)
class Row:
    """A stored row, as a line may speak of it: its operator and what else tells it from others, its texts with digits.

    `values` are all of its numbers in every unit, [columns, EXPONENTS], `spreads` half their intervals and `ends` both
    ends of them, [columns, EXPONENTS, 2], NaN where they have none.
    """

    operator: str
    name: str
    workload: tuple[str, ...]
    words: frozenset[str]
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    spreads: NDArray[np.float64]
    ends: NDArray[np.float64]

    def only(self, columns: frozenset[str]) -> Row:
        """The row with nothing but these of its columns; with all where it has none of them."""
        kept = [place for place, name in enumerate(self.columns) if name in columns]
        if not kept:
            return self
        names = tuple(self.columns[place] for place in kept)
        return replace(self, columns=names, **{n: getattr(self, n)[kept] for n in ("values", "spreads", "ends")})


def close(stored: Any, given: str) -> Any:
    """Whether a printed number is a rounding of what is stored, to its own last digit."""
    number, digit = float(given), 10.0 ** int(Decimal(given).as_tuple().exponent)
    return np.abs(stored - number) <= digit / 2 + SAME * abs(number)


def rows(view: View) -> Iterator[Row]:
    """The rows of a view, means over seeds, and changes between two runs."""
    frame = view.frame
    trained = frame[is_trained(frame)]
    for part in (frame, *([] if trained.empty else [over_seeds(trained)]), *view.changes.values()):
        yield from (_row(record) for record in to_records(part) if record["options"])


def _row(record: Mapping[str, Any]) -> Row:
    texts = {name: value for name, value in record.items() if isinstance(value, str) and value}
    known = {name: value for name, value in record.items() if isinstance(value, (int, float))}
    found = []
    for name, value in known.items():
        low, high = (known.get(f"{name}_{end}", math.nan) for end in ("low", "high"))
        factors = (1, 2) if name in WORK else (1, 100) if name in SHARES else (1,)  # FLOPs; per cent
        found += [(name, value * factor, high / 2 - low / 2, (low, high)) for factor in factors]
    columns, values, spreads, ends = zip(*found, strict=True)
    units = 10.0 ** -np.array(EXPONENTS)
    sides = [record.get(name) for name in ("batch", "channels", "height", "width")]
    shape = "" if None in sides else "×".join(map(str, sides))
    axes = {value for name, value in texts.items() if is_axis(name) or name == "case"}
    return Row(
        record["options"],
        f"{record.get('pair') or record['options']} {shape}".strip(),
        tuple(str(value) for name, value in sorted(record.items()) if is_axis(name) and name not in SUBJECT),
        frozenset({*axes, shape, shape.replace("×", "x")}),
        tuple(sorted((text for text in texts.values() if any(map(str.isdigit, text))), key=len, reverse=True)),
        columns,
        np.outer(values, units),
        np.outer(spreads, units),
        np.array(ends)[:, None] * units[:, None],
    )


def compare(
    line: str, names: Set[str], rows: Sequence[Row], over: Sequence[Over] = (), references: Set[str] = frozenset()
) -> tuple[int, list[Wrong]]:
    """How many numbers of a line, which says these names and is about these rows, were compared, and those that none of
    the rows has: in any column of its unit, or, in a table, in those that the heading of its cell names. What is so
    many `times` something must be how much more one of the rows has than another, or a ratio, where the line names the
    row alone or one of the `references` of ratios beside it."""
    if not rows:
        return 0, []
    words = {*_BETWEEN.split(line), *names}
    shared = [len(row.words & words) for row in rows]
    meant = [row for row, count in zip(rows, shared, strict=True) if count == max(shared)]
    texts = dict.fromkeys(text for row in meant for text in row.texts)
    count, wrong = 0, []
    for part, above in cells.under(line, over):
        rest = _SHAPE.sub(" ", part)
        for text in texts:
            rest = rest.replace(text, " ")
        for said in numbers(rest):
            count += 1
            exponent = above.exponent if said.exponent is None else said.exponent
            places = slice(0, -1)
            if exponent is not None:
                places = slice(EXPONENTS.index(exponent), EXPONENTS.index(exponent) + 1)
            if above.columns:
                fitting = [row.only(above.columns) for row in meant]
            elif said.times:
                fitting = [*_ratios(meant, names, references), *_quotients(rows)]
            elif said.columns:
                fitting = [row.only(said.columns) for row in meant if said.columns & set(row.columns)]
            else:
                fitting = meant
            if not any(_stands(said, row, places) for row in fitting) and not _apart_stand(said, fitting, places):
                found = (_nearest(said, row, places) for row in fitting)
                _, name, column, stored = min(found, default=(0, meant[0].name, "", ""))
                wrong.append(Wrong(name, column, str(said), stored))
    return count, wrong


def _ratios(rows: Sequence[Row], names: Set[str], references: Set[str]) -> Iterator[Row]:
    """The ratios of rows beside which a line names nobody, or what they are to."""
    for row in rows:
        others = names - {row.operator}
        if RATIOS & set(row.columns) and (not others or others & references):
            yield row.only(RATIOS)


def _quotients(rows: Sequence[Row]) -> Iterator[Row]:
    """How many times one of these rows has more of each measure than another one of its workload."""
    for one, other in permutations(rows, 2):
        if one.workload == other.workload and one.operator != other.operator:
            both = [name for name in MEASURED if name in one.columns and name in other.columns]
            above, below = (np.array([row.values[row.columns.index(name)] for name in both]) for row in (one, other))
            with np.errstate(divide="ignore", invalid="ignore"):
                times = above / below
            nothing, name = np.full_like(times, np.nan), f"{one.name} over {other.operator}"
            ends = np.full((*times.shape, 2), np.nan)
            yield replace(one, name=name, columns=tuple(both), values=times, spreads=nothing, ends=ends)


def unread(line: str) -> str:
    """The first cell of a row of a table, which names no operator of the run, where there are numbers in others."""
    first, *others = cells.split(_SHAPE.sub("", line)) if re.search("[&|]", line) else [line]
    with_numbers = sum(bool(NUMBER.search(cell)) for cell in others)
    return first if with_numbers > 1 and not NUMBER.fullmatch(first) else ""


def _stands(said: Spoken, row: Row, units: slice) -> bool:
    """Whether a number, and what follows its ±, are those of a value of the row; with an `end`, whether both are those
    of an interval."""
    if said.end:
        low, high = row.ends[:, units, 0], row.ends[:, units, 1]
        return bool((close(low, said.given) & close(high, said.end)).any())
    fits = close(row.values[:, units], said.given)
    return bool((fits & close(row.spreads[:, units], said.half) if said.half else fits).any())


def _apart_stand(said: Spoken, rows: Sequence[Row], units: slice) -> bool:
    """Whether the two ends of a range are values of these rows."""
    return bool(said.end) and all(
        any(close(row.values[:, units], one).any() for row in rows) for one in (said.given, said.end)
    )


def _nearest(said: Spoken, row: Row, units: slice) -> tuple[float, str, str, str]:
    """How far the value of the row is that comes nearest to a number, of which row and column it is, and its text."""
    digits = [max(0, -int(Decimal(text or "0").as_tuple().exponent)) for text in (said.given, said.half or said.end)]
    if said.end:
        ends = row.ends[:, units]
        far = _apart(ends[..., 0], said.given) + _apart(ends[..., 1], said.end)
        if np.isfinite(far).any():
            place = np.unravel_index(far.argmin(), far.shape)
            told = TO.join(f"{one:.{places}f}" for one, places in zip(ends[place], digits, strict=True))
            return float(far[place]), row.name, row.columns[place[0]], told
    far = _apart(row.values[:, units], said.given)
    far[[not _is_told(name) for name in row.columns]] = np.inf
    far[np.isnan(row.spreads[:, units]) & bool(said.half)] = np.inf
    place = np.unravel_index(far.argmin(), far.shape)
    stored = f"{row.values[:, units][place]:.{digits[0]}f}"
    spread = f" ±{row.spreads[:, units][place]:.{digits[1]}f}" if said.half else ""
    return float(far[place]), row.name, row.columns[place[0]], stored + spread


def _is_told(column: str) -> bool:
    """Whether a person can have meant a column who is wrong: no end of an interval, and no axis."""
    return not (column.endswith(("_low", "_high")) or is_axis(column))


def _apart(stored: NDArray[np.float64], given: str) -> NDArray[np.float64]:
    """By what power of ten each number differs from a given one: without end where a sign differs, or one is zero."""
    number = float(given)
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.abs(np.log10(np.abs(stored)) - math.log10(abs(number) or 1))
    far[np.isnan(far) | (np.sign(stored) != math.copysign(1, number))] = np.inf
    return np.where(stored == number, 0.0, far)
