"""The numbers that a text says, each with its unit, which tells what they can be: `3.1 ±0.2 ms`, `12 %`, `2.7k`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from a2u_bench.audit.claims.cells import PER_CENT, UNNAMED
from a2u_bench.columns import SHOWN
from a2u_bench.tables.column import WORK
from a2u_bench.units import CONVENTIONS, PREFIXES, TO

_EXPONENTS = {prefix: exponent for exponent, prefix in PREFIXES.items()} | {"u": -6}
_OF = {unit: frozenset(name for name, column in SHOWN.items() if column.unit == unit) for unit in ("s", "B", "dB")}
_OF |= {word: frozenset(WORK) for word, _ in CONVENTIONS.values()}
_OF |= {"multiply-adds": frozenset(WORK), **dict.fromkeys(("params", "parameters"), frozenset({"params"}))}
"""The columns that a unit, or what is counted, can be of."""

_VALUE = r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?"
UNIT = (
    r"(?:\s*(?P<share>%)|(?P<times>\s+times\b|×|x\b)"
    rf"|\s*(?P<prefix>[{''.join(_EXPONENTS)}]?)\s*(?P<unit>{'|'.join(_OF)})\b|\s?(?P<counted>[kMGT])\b)"
)
NUMBER = re.compile(
    rf"(?<![\w.:=/-])(?P<given>{_VALUE})(?:\s*±\s*(?P<half>{_VALUE})|{TO}(?P<end>{_VALUE}))?{UNIT}?(?![\w×=/-]|\.\d)"
)


@dataclass(frozen=True)
class Spoken:
    """A number as it was printed, and what follows its ± or is the other end of its range, "" without.

    `columns` are those that its unit can be of, UNNAMED for any; `exponent` the power of ten of its unit, None where it
    has none. `times`: it compares one operator with another.
    """

    given: str
    half: str
    end: str
    columns: frozenset[str] = UNNAMED
    exponent: int | None = None
    times: bool = False

    def __str__(self) -> str:
        return f"{self.given} ±{self.half}" if self.half else f"{self.given}{TO}{self.end}" if self.end else self.given


def numbers(text: str) -> Iterator[Spoken]:
    """The numbers of a text in their order."""
    for found in NUMBER.finditer(text):
        said = {name: part or "" for name, part in found.groupdict().items()}
        exponent = None
        if said["share"]:
            exponent = PER_CENT
        elif said["times"]:
            exponent = 0
        elif said["unit"] or said["counted"]:
            exponent = _EXPONENTS[said["prefix"] or said["counted"]]
        columns = _OF.get(said["unit"], UNNAMED)
        yield Spoken(said["given"], said["half"], said["end"], columns, exponent, bool(said["times"]))
