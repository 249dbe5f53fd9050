"""A number as it was printed: its digits, its unit, and whether a computed one would be printed alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

from a2u_bench.errors import UsageError

SUFFIXES = {"": 1, "%": 1, "K": 10**3, "M": 10**6, "G": 10**9}

MACS, FLOPS = "GMACs", "GFLOPs"
UNITS: dict[str, tuple[Fraction, str]] = {
    MACS: (Fraction(10**9), "10⁹ multiply-adds"),
    FLOPS: (Fraction(10**9, 2), "10⁹ operations, two for each multiply-add"),
    "GiMACs": (Fraction(2**30), "1024³ multiply-adds"),
}
"""The three units of published work, each in multiply-adds."""

_NUMBER = re.compile(r"\+?(?P<whole>\d{0,12})(?:\.(?P<decimals>\d{1,12}))?(?P<suffix>[KMG%]?)")


@dataclass(frozen=True)
class Printed:
    """A number as printed, and what one of its units is worth: `0.44M` of parameters, `1.45` of GMACs."""

    text: str
    digits: int  # the number without its point
    places: int  # digits behind the point
    suffix: str
    unit: Fraction

    @property
    def is_added(self) -> bool:
        """Whether it is printed with a plus sign, as what an operator adds to a network."""
        return self.text.startswith("+")

    @property
    def value(self) -> Fraction:
        """The number in parameters or multiply-adds."""
        return self.digits * self.unit / 10**self.places

    def compare(self, value: Fraction | int) -> str:
        """`agrees` where `value` rounds to the printed digits, `truncated` where it is cut to them, else `differs`."""
        exact = value / self.unit * 10**self.places
        if _rounded(exact) == self.digits:
            return "agrees"
        return "truncated" if exact // 1 == self.digits else "differs"

    def write(self, value: Fraction | int, more: int = 2) -> str:
        """`value` in the printed unit, with `more` digits than were printed; a bare count has none to add."""
        places = 0 if self.unit == 1 and self.suffix != "%" else self.places + more
        text = f"{_rounded(value / self.unit * 10**places):0{places + 1}d}"
        return (f"{text[:-places]}.{text[-places:]}" if places else text) + self.suffix

    def reading(self, unit: str) -> Printed:
        """The same digits as a measure in another of `UNITS`, to write work in it."""
        return replace(self, unit=UNITS[unit][0])


def parse_printed(text: str, unit: str = "") -> Printed:
    """Read `12.60M`, `.44M`, `80K`, `0`, `91%`, or with a unit of work `30.65`. UsageError for anything else."""
    found = _NUMBER.fullmatch(text)
    if not found or not (found["whole"] or found["decimals"]):
        raise UsageError(f"cannot read the printed number {text!r}. Allowed: digits with K, M or G, as 12.60M or 80K")
    if unit and found["suffix"]:
        raise UsageError(f"work {text!r} is printed in {unit}. Allowed: digits alone, as 30.65")
    decimals = found["decimals"] or ""
    worth = UNITS[unit][0] if unit else Fraction(1)
    digits = int(f"{found['whole'] or 0}{decimals}")
    return Printed(text, digits, len(decimals), found["suffix"], worth * SUFFIXES[found["suffix"]])


def _rounded(value: Fraction) -> int:
    return int((value + Fraction(1, 2)) // 1)
