"""Gates for CI: `latency>5%` fails where a latency grew by significantly more, `latency>2ms` where one is above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from a2u_bench import stats, units
from a2u_bench.columns import BY_NAME
from a2u_bench.errors import UsageError, unknown
from a2u_bench.judge import verdicts
from a2u_bench.judge.before_after import Change, Matched
from a2u_bench.judge.filters import apart, quantity, split
from a2u_bench.judge.verdicts import numbers
from a2u_bench.sanitize import some
from a2u_bench.stats import Estimate

FLAG = "--fail-if"
ALLOWED = tuple(name for name, column in BY_NAME.items() if column.role == "measure" and column.better)
_SHARE = re.compile(r"([+-]?\d{1,6}(?:\.\d{1,6})?)\s*%")


@dataclass(frozen=True)
class Gate:
    """A measure and how far it may go: `limit` is a share of the run before (0.05), or a value in SI units."""

    name: str
    above: bool  # more than the limit fails; else less than it
    limit: float
    relative: bool
    text: str


@dataclass(frozen=True)
class Outcome:
    """What a gate found: operators that fail it, those for which it is unclear, with why, and how many pass."""

    gate: Gate
    failed: tuple[str, ...]
    unclear: tuple[str, ...]
    passed: int

    @property
    def sentence(self) -> str:
        """The outcome in one line."""
        parts = [
            f"{words}: {some(names, 6)}"
            for words, names in (("fails", self.failed), ("unclear", self.unclear))
            if names
        ]
        parts += [f"{self.passed} within it"] if self.passed or not parts else []
        return f"{FLAG} {self.gate.text}: {'; '.join(parts)}"


def parse_all(texts: Sequence[str]) -> list[Gate]:
    """Every gate in the texts, which may join several by commas."""
    return [parse(text) for text in apart(texts)]


def parse(text: str) -> Gate:
    """`latency>5%`, `psnr<-1%`, `peak_memory>64MB`. UsageError for anything else."""
    name, sign, value = split(text, FLAG)
    if name not in ALLOWED:
        raise unknown(f"measure in {FLAG}", name, ALLOWED)
    if sign not in ("<", ">", "<=", ">="):
        raise UsageError(f"{FLAG} {text!r}: {sign} is no limit; allowed: > and <, as in latency>5% or latency>2ms")
    share = _SHARE.fullmatch(value)
    if share:
        if not float(share[1]) > -100:
            raise UsageError(f"{FLAG} {text!r}: nothing falls by all of itself; allowed: more than -100%")
        return Gate(name, sign.startswith(">"), float(share[1]) / 100, True, text)
    unit = BY_NAME[name].unit
    if unit in units.USUAL and value[-1:].isdigit():
        raise UsageError(f"{FLAG} {text!r}: {value} of what? Allowed: a share such as 5%, or 2{units.USUAL[unit]}")
    try:
        return Gate(name, sign.startswith(">"), quantity(text, FLAG, name, value), False, text)
    except UsageError as error:
        raise UsageError(f"{error}, or a share such as 5%") from None


def check_change(
    gate: Gate, pair: Matched, change: Change, names: Sequence[str], differ: Sequence[str] = ()
) -> Outcome:
    """A relative gate on each pair of rows of two runs, which have these names; `differ` is what makes their times
    incomparable.

    A case fails where after/before is beyond the limit at 95 %, after Holm's correction over the cases; it passes
    where the 95 % interval of after/before is within the limit; else it is unclear. The reference that latencies are
    compared with is left out.
    """
    sign = 1.0 if gate.above else -1.0
    shifted = Estimate(sign * (change.found.log - np.log1p(gate.limit)), change.found.error, change.found.freedom)
    known = ~np.isnan(shifted.log) & ~change.own
    comparable = known & (not differ if BY_NAME[gate.name].unit == "s" else True)
    with np.errstate(invalid="ignore"):
        corrected = np.ones(len(known))
        corrected[comparable] = stats.holm(shifted[comparable].probability)
        failed = comparable & (shifted.log > 0) & (corrected <= verdicts.LEVEL)
        passed = comparable & ~failed & (shifted.interval()[1] <= 1)
    why = np.full(len(known), "", dtype=object)
    why[known & ~comparable] = "the machines differ"
    unknown = []
    for word, part in (("before", pair.before), ("after", pair.after)):
        missing = part[gate.name].isna().to_numpy()
        unknown.append(missing)
        why[missing] = [
            f"{word}: {status}" if status != "ok" else f"{word}: unknown" for status in part["status"][missing]
        ]
    alike = unknown[0] & unknown[1] & (pair.before["status"].to_numpy() == pair.after["status"].to_numpy())
    return _outcome(gate, names, failed, passed, alike.astype(bool) | change.own, why, _changes(gate, pair, change))


def check_value(gate: Gate, frame: pd.DataFrame, names: Sequence[str]) -> Outcome:
    """An absolute gate on each row, of this name: wholly beyond the limit it fails, wholly within it passes."""
    sign = 1.0 if gate.above else -1.0
    value = sign * numbers(frame, gate.name)
    near = far = value
    if f"{gate.name}_low" in frame:
        ends = [sign * numbers(frame, f"{gate.name}_{end}") for end in ("low", "high")]
        near, far = ends if gate.above else ends[::-1]
    with np.errstate(invalid="ignore"):
        failed, passed = near > sign * gate.limit, far <= sign * gate.limit
    why = np.array(
        ["" if status == "ok" else str(status) for status in frame["status"].fillna("unknown")], dtype=object
    )
    texts = ["" if np.isnan(one) else _quantity(gate, one) for one in numbers(frame, gate.name)]
    skipped = (frame["status"] == "skipped").fillna(False).to_numpy(dtype=bool)
    return _outcome(gate, names, failed, passed, skipped, why, texts)


def _outcome(
    gate: Gate,
    names: Sequence[str],
    failed: NDArray[np.bool_],
    passed: NDArray[np.bool_],
    left_out: NDArray[np.bool_],
    why: NDArray[np.object_],
    values: Sequence[str],
) -> Outcome:
    unclear = ~failed & ~passed & ~left_out
    said = [f"{name} ({', '.join(filter(None, parts))})" for name, *parts in zip(names, values, why, strict=True)]
    pick = [
        tuple(text.replace(" ()", "") for text, one in zip(said, flags, strict=True) if one)
        for flags in (failed, unclear)
    ]
    return Outcome(gate, pick[0], pick[1], int(passed.sum()))


def _changes(gate: Gate, pair: Matched, change: Change) -> list[str]:
    """What each case came from and went to: of latencies that are compared by their ratios, those."""
    unit = "" if change.relative else None
    sides = [numbers(part, gate.name) for part in (pair.before, pair.after)]
    if change.relative:
        sides = [np.where(change.base[0] >= 0, np.exp(one.log), np.nan) for one in (change.before, change.after)]
    said = []
    for before, after, log in zip(*sides, change.found.log, strict=True):
        share = f"{np.expm1(log):+.1%}" if np.isfinite(log) else ""
        values = (
            ""
            if np.isnan(before) or np.isnan(after)
            else " → ".join(units.ratio(value) if unit == "" else _quantity(gate, value) for value in (before, after))
        )
        said.append(", ".join(filter(None, (values, share))))
    return said


def _quantity(gate: Gate, value: float) -> str:
    scale = units.scale_for([value]) if BY_NAME[gate.name].unit != "dB" else units.UNSCALED
    return f"{units.exact(value, scale)} {scale.prefix}{BY_NAME[gate.name].unit}".strip()
