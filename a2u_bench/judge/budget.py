"""The budget of `recommend`: limits as they are typed, `latency<2ms,memory<64MB`, and which rows keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from a2u_bench.columns import BY_NAME
from a2u_bench.errors import UsageError, unknown
from a2u_bench.judge.filters import ALIASES, EXAMPLES, apart, quantity, split

FLAG = "--budget"
ALLOWED = tuple(name for name, column in BY_NAME.items() if column.role == "measure" and column.better)


@dataclass(frozen=True)
class Limit:
    """A quantity and how far it may go, in SI units: at most, or at least where more is better."""

    name: str
    value: float
    text: str

    @property
    def at_least(self) -> bool:
        """Whether more is better, so that the limit is the least there may be."""
        return BY_NAME[self.name].better == "higher"


def read_budget(texts: Sequence[str]) -> tuple[Limit, ...]:
    """Limits from `latency<2ms,memory<64MB`; `=` is short for at most, and of a quality for at least.

    UsageError for what is no quantity, no measure, a limit on the wrong side, or named twice.
    """
    limits: dict[str, Limit] = {}
    for text in apart(texts):
        name, sign, value = split(text, FLAG)
        if name not in ALLOWED:
            raise unknown(f"quantity in {FLAG}", name, [*ALIASES, *ALLOWED])
        if name in limits:
            raise UsageError(f"{FLAG} names {name} twice; allowed: each quantity once")
        limit = Limit(name, quantity(text, FLAG, name, value), text)
        sides = ("=", ">", ">=") if limit.at_least else ("=", "<", "<=")
        if sign not in sides:
            most = "the least" if limit.at_least else "the most"
            raise UsageError(f"{FLAG} {text}: a limit on {name} is {most} that it may be; allowed: {' '.join(sides)}")
        limits[name] = limit
    if not limits:
        raise UsageError(f"{FLAG} is empty. Allowed: limits, such as {EXAMPLES[FLAG]}")
    return tuple(limits.values())


def within(frame: pd.DataFrame, limits: Sequence[Limit], end: bool = False) -> pd.Series:
    """Which rows keep every limit: by their values, or by the far `end` of their intervals."""
    kept = pd.Series(True, index=frame.index)
    for limit in limits:
        values = frame[limit.name]
        bound = f"{limit.name}_{'low' if limit.at_least else 'high'}"
        if end and bound in frame:
            values = frame[bound].fillna(values)
        kept &= (values >= limit.value if limit.at_least else values <= limit.value).fillna(False).astype(bool)
    return kept
