"""A column of a LaTeX table: its type, what stands over it, its cells, and how wide it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from a2u_bench.export.tex.fit import THIN, TexColumn, quads
from a2u_bench.export.tex.text import escape, foldable, start, unit
from a2u_bench.tables.table import Heading
from a2u_bench.units import SPREAD, TO

SPREADS = r"@{\,}l"
"""A column of its own for ± and what follows it, since siunitx sets no space before it in a table."""

NAMES = ("options", "pair")
"""The columns of names, in which operators are cited."""

KEY = " [00]"
"""A citation as wide as most are."""

GROUPED = 4
"""Digits before the point beyond which siunitx groups them."""
_NUMBER = re.compile(rf"(?P<sign>-?)(?P<whole>\d+)(?:\.(?P<part>\d+))?(?:{SPREAD}(?P<half>[\d.]+))?")
_ENDS = re.compile(rf"[\d.]+{TO}[\d.]+")
_MINUS_NOTHING = re.compile(r"-(?=0(\.0*)?( |$))")


@dataclass(frozen=True)
class Cells:
    """The texts of a column as they are printed; which rows are best, and the papers that names in it cite."""

    heading: Heading
    texts: Sequence[str]
    best: frozenset[int] = frozenset()
    keys: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> list[re.Match[str]]:
        """The texts as numbers, but for intervals that stand alone; none where another one is no number."""
        found = [_NUMBER.fullmatch(text) for text in self.texts if text and not _ENDS.fullmatch(text)]
        known = [match for match in found if match]
        return known if self.heading.right and len(known) == len(found) else []

    @cached_property
    def spreads(self) -> bool:
        """Whether a ± has a column of its own."""
        return any(match["half"] for match in self.numbers)

    @cached_property
    def kind(self) -> str:
        """Its type: aligned at the decimal point where it holds numbers, else at its side."""
        if not self.numbers:
            return "r" if self.heading.right else "l"
        sign, whole, part = self._places
        return f"S[table-format={sign}{whole}.{part}]{SPREADS if self.spreads else ''}"

    @cached_property
    def tex(self) -> TexColumn:
        """How wide it is."""
        head = max(map(quads, [*self._heads, f"[{self.heading.unit}]" if self.heading.unit else ""]))
        shown = [f"{text}{KEY * (row in self.keys)}" for row, text in enumerate(self.texts)]
        return TexColumn(max(head, self._content), head, () if self.heading.right else shown)

    @cached_property
    def _content(self) -> float:
        """Quads of its widest cell."""
        if not self.numbers:
            cites = (KEY * (row in self.keys) for row in range(len(self.texts)))
            wide = (quads(text, row in self.best) for row, text in enumerate(self.texts))
            return max((one + quads(cite) for one, cite in zip(wide, cites, strict=True)), default=0.0)
        sign, whole, part = self._places
        aligned = quads(f"{sign}{'0' * whole}{'.' * bool(part)}{'0' * part}".replace("-", "−"), bool(self.best))
        aligned += (whole - 1) // 3 * THIN * (whole > GROUPED)
        parts = enumerate(text.partition(SPREAD) for text in self.texts)
        halves = (quads(half, row in self.best) for row, (_, spread, half) in parts if spread)
        aligned += max((THIN + quads("±") + wide for wide in halves), default=0.0)
        return max([aligned, *(quads(text, True) for text in self.texts if _ENDS.fullmatch(text))])

    @cached_property
    def _heads(self) -> Sequence[str]:
        """What stands over it, on two lines where it is wider on one than all below."""
        words = self.heading.label.split(" ")
        if quads(self.heading.label) <= self._content:
            return [self.heading.label]
        ways = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
        return min(ways, key=lambda way: max(map(quads, way)), default=[self.heading.label])

    def head(self, is_last: bool) -> str:
        """What stands over it."""
        over = " \\\\ ".join(map(escape, self._heads))
        return self._over(f"\\shortstack{{{over}}}" if len(self._heads) > 1 else over, is_last)

    def unit_head(self, is_last: bool) -> str:
        """The unit below that."""
        return self._over(f"[{unit(self.heading.unit)}]" if self.heading.unit else "", is_last)

    def cell(self, row: int, folds: bool, is_last: bool) -> str:
        """The cell of a row, in bold where it is best; `folds`: it may go over several lines."""
        text, best = self.texts[row], row in self.best
        if not self.numbers:
            shown = foldable(text) if folds else escape(text)
            cited = f"{' ' if folds else '~'}\\cite{{{self.keys[row]}}}" if row in self.keys else ""
            return (f"\\textbf{{{shown}}}" if best else start(shown)) + cited
        bold = r"\bfseries " if best else ""
        if _ENDS.fullmatch(text):
            ends = f"{{{bold}{escape(text)}}}"
            return f"\\multicolumn{{2}}{{r{'@{}' * is_last}}}{ends}" if self.spreads else ends
        number, spread, half = text.partition(SPREAD)
        parts = [number, f"$\\pm${half}" if spread else ""] if self.spreads else [number]
        return " & ".join(f"{bold}{part}" if part else part for part in parts)

    @property
    def _places(self) -> tuple[str, int, int]:
        sign = "-" * any(match["sign"] for match in self.numbers)
        parts = max(len(match["part"] or "") for match in self.numbers)
        return sign, max(len(match["whole"]) for match in self.numbers), parts

    def _over(self, text: str, is_last: bool) -> str:
        if self.spreads:
            return f"\\multicolumn{{2}}{{c{'@{}' * is_last}}}{{{text}}}"
        return f"{{{text}}}" if self.numbers else start(text)


def printed(text: str) -> str:
    """A number as a paper prints it: without a ± that is nothing, or a minus before a zero."""
    return _MINUS_NOTHING.sub("", text.removesuffix(f"{SPREAD}0"))
