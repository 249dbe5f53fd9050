"""Numbers become text here and nowhere else: one SI prefix for a column, digits that follow the spread."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Convention = Literal["mac", "flop"]
CONVENTIONS: dict[str, tuple[str, int]] = {"mac": ("MACs", 1), "flop": ("FLOPs", 2)}
"""How work is counted: the word in headings, and how many for one multiply-add."""

PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
SPREAD = " ±"
TO = "–"  # between the ends of an interval
USUAL = {"s": "ms", "B": "MB"}  # what a person means such a quantity in, who must say so
LOPSIDED = 1.5  # times that an interval reaches farther above its value than below, from which it has no ±
NONE = 1e-9  # of a value: less is the computer's own rounding, and no spread
EXACT_DIGITS = 4  # significant digits of a value without a spread
_EXACT = f"%#.{EXACT_DIGITS}g"


@dataclass(frozen=True)
class Scale:
    """A power of ten and its prefix, shared by the cells of one column."""

    exponent: int
    prefix: str

    @cached_property
    def factor(self) -> float:
        """What one in this scale is worth."""
        return 10.0**self.exponent

    def of(self, value: float) -> float:
        """`value` in this scale."""
        return value / self.factor


UNSCALED = Scale(0, "")


def scale_for(values: Iterable[float]) -> Scale:
    """The prefix under which the middle one of the nonzero values lies between 1 and 1000."""
    sizes = sorted(abs(value) for value in values if value)
    if not sizes:
        return UNSCALED
    exponent = 3 * math.floor(_magnitude(sizes[len(sizes) // 2]) / 3)
    exponent = min(max(exponent, min(PREFIXES)), max(PREFIXES))
    return Scale(exponent, PREFIXES[exponent])


def exact(value: float, scale: Scale = UNSCALED) -> str:
    """A value without a spread, with four significant digits; whole numbers below 10,000 unscaled stand as they are."""
    scaled = scale.of(value)
    if scale.exponent and 1 <= scaled < 999:
        return _EXACT % scaled  # most cells
    count = float(value).is_integer()
    if value == 0 or (scale.exponent == 0 and count and abs(value) < 10**EXACT_DIGITS):
        return str(int(value))
    text = _EXACT % scaled
    _, _, magnitude = text.partition("e")
    if magnitude:  # five digits before the point, or four zeros after it
        text = _fixed(scaled, max(0, EXACT_DIGITS - 1 - int(magnitude)))
    if count and 0 <= scale.exponent < len(text.partition(".")[2]):
        text = _fixed(scaled, scale.exponent)  # 5 is 0.005 k: a count has no digits beyond
    return text.removesuffix(".")


def exacts(values: Iterable[float | None], scale: Scale = UNSCALED) -> list[str]:
    """The same of many values; nothing for None."""
    factor, prefixed = scale.factor, scale.exponent != 0
    return [
        ""
        if value is None
        else _EXACT % scaled  # as `exact` has most cells
        if prefixed and 1 <= (scaled := value / factor) < 999
        else exact(value, scale)
        for value in values
    ]


def counts(values: Sequence[float | None], scale: Scale, decimals: int) -> list[str]:
    """The same of a column of counts, with at most so many decimals, or with what the least of them needs for two
    digits that say something."""
    least = min((scale.of(value) for value in values if value), default=1.0)
    places = max(decimals, 1 - _magnitude(least))
    texts = zip(exacts(values, scale), values, strict=True)
    return [
        text if value is None or len(text.partition(".")[2]) <= places else _fixed(scale.of(value), places)
        for text, value in texts
    ]


def whole(count: int) -> str:
    """Every digit of a count, in groups of three."""
    return f"{count:,}"


def with_spread(value: float, low: float, high: float, scale: Scale = UNSCALED) -> tuple[str, str]:
    """A value and half the width of its interval, both to the half-width's first digit, or two where that is a 1.

    Without a width (one sample, or all alike) the value has four significant digits and the half-width is "0".
    """
    half = abs(scale.of(high) - scale.of(low)) / 2
    if half <= abs(scale.of(value)) * NONE:
        return exact(value, scale), "0"
    digits, _, magnitude = f"{half:.1e}".partition("e")
    places = -int(magnitude) + (1 if digits < "2" else 0)
    scaled = scale.of(value)
    most = 5 - _magnitude(scaled) if scaled else places  # a spread of one nanosecond is no reason for ten digits
    places = max(0, min(places, most))
    return _fixed(scaled, places), _fixed(half, places)


def measured(value: float, low: float, high: float, scale: Scale = UNSCALED, spread: str = SPREAD) -> str:
    """`1.23 ±0.04`; of an interval that is wider than its value, as `is_wide` says, its ends: `0.12–406`."""
    if not is_wide(value, low, high):
        return spread.join(with_spread(value, low, high, scale))
    return TO.join(_two_digits(scale.of(end)) for end in (low, high))


def is_wide(value: float, low: float, high: float) -> bool:
    """Whether a value is known to a factor of LOPSIDED or worse: `4 ±203` would read as a negative time, and a ± says
    of an interval that reaches so much farther above its value than below nothing true of either side."""
    return 0 < LOPSIDED * (value - low) <= high - value and low > 0


def ratio(value: float) -> str:
    """A ratio with three significant digits."""
    if value == 0:
        return "0"
    return _fixed(value, max(0, 2 - _magnitude(_rounded(value, 3))))


def read(text: str, unit: str) -> float:
    """The number in SI units that a quantity means: `2ms`, `5min`, `64 MB`, `64MiB`, `1.5G`, `3e-3`.

    `unit` is the column's: "s", "B", "dB", or "" for counts and shares. Bytes may be in lower case and without the B.
    Raises ValueError, with what is allowed, for anything else.
    """
    found = _QUANTITY.fullmatch(text.strip())
    factor = _factors(unit).get(found["word"].lower() if unit == "B" else found["word"]) if found else None
    if found is None or factor is None:
        example = {"s": "2ms", "B": "64MB", "dB": "30dB"}.get(unit, "1.5G")
        raise ValueError(f"cannot read {text!r}. Allowed: a number, alone or with a unit, such as {example}")
    return float(found["number"]) * factor


_NUMBER = r"(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,2})?"
_QUANTITY = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<word>[A-Za-zµ]*)")


def _factors(unit: str) -> dict[str, float]:
    """What may follow a number of this unit, and what it is times."""
    if unit == "dB":
        return {"": 1.0, unit: 1.0}
    factors = {prefix: float(f"1e{exponent}") for exponent, prefix in PREFIXES.items()}
    if unit == "B":
        whole_ones = {prefix.lower(): factor for prefix, factor in factors.items() if factor >= 1}
        binary = {f"{prefix}i": 1024.0**power for power, prefix in enumerate(("k", "m", "g", "t", "p"), start=1)}
        every = whole_ones | binary
        return every | {f"{prefix}b": factor for prefix, factor in every.items()}
    factors["u"] = factors["µ"]
    longer = {"min": 60.0, "h": 3600.0} if unit == "s" else {}
    return {f"{prefix}{unit}": factor for prefix, factor in factors.items()} | longer | {"": 1.0}


def _magnitude(value: float) -> int:
    """The exponent of the first digit."""
    return math.floor(math.log10(abs(value))) if value else 0


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")


def _two_digits(value: float) -> str:
    """At least two significant digits, at most three decimals."""
    return _fixed(value, min(max(0, 1 - _magnitude(value)), 3))


def _fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}"


def minutes(seconds: float) -> str:
    """Seconds as `3 min 20 s`."""
    whole, rest = divmod(round(seconds), 60)
    return f"{whole} min {rest} s" if whole else f"{rest} s"
