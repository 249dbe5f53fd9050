"""Conditions as they are typed, `latency<2ms`, `operator=a2u,carafe`, `shape=1x64x32x32`, and which rows meet them."""

from __future__ import annotations

import operator as python
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME, SHAPE
from a2u_bench.errors import UsageError, nearest, unknown

ALIASES = {"memory": "peak_memory"}
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": python.le,
    ">=": python.ge,
    "!=": python.ne,
    "<": python.lt,
    ">": python.gt,
    "=": python.eq,
}
EXAMPLES = "operator=a2u, latency<2ms, shape=1x64x32x32, dtype!=float64"
_CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|!=|==|<|>|=)\s*(.*?)\s*", re.DOTALL)
_BETWEEN_VALUES = re.compile(r",(?!\s*[A-Za-z_][\w-]*\s*=)")  # not the commas of a2u:rank=4,sharing=unshared


@dataclass(frozen=True)
class Condition:
    """A column, a sign, and the values one of which is meant: texts, or numbers in SI units."""

    name: str
    sign: str
    values: tuple[str, ...] | tuple[float, ...]
    text: str


def split(text: str, flag: str) -> tuple[str, str, str]:
    """Name, sign and value of `NAME<VALUE`. UsageError for anything else."""
    found = _CONDITION.fullmatch(text)
    if not found or not found[3]:
        raise UsageError(
            f"{flag} {text!r}: no condition. Allowed: a column, one of = != < <= > >=, a value: {EXAMPLES}"
        )
    return ALIASES.get(found[1], found[1]), found[2].replace("==", "="), found[3]


def parse(text: str, columns: Sequence[str], flag: str = "--filter") -> Condition:
    """The condition in `text` on one of `columns`. UsageError for an unknown column or a value of another kind."""
    name, sign, value = split(text, flag)
    if name not in columns:
        raise unknown(f"column in {flag}", name, columns)
    if name not in BY_NAME or BY_NAME[name].dtype == "string":
        if sign not in ("=", "!="):
            raise UsageError(f"{flag} {text!r}: {name} holds text; allowed: = and !=")
        words = [value] if name in ("reason", "note") else _BETWEEN_VALUES.split(value)
        return Condition(name, sign, tuple(_word(name, word) for word in words), text)
    parts = value.split(",") if sign in ("=", "!=") else [value]
    try:
        return Condition(name, sign, tuple(units.read(part, BY_NAME[name].unit) for part in parts), text)
    except ValueError as error:
        raise UsageError(f"{flag} {text!r}: {error}") from None


def narrow(frame: pd.DataFrame, texts: Sequence[str] | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that meet every condition, and notes as `keep` makes them. UsageError for what is no condition."""
    return keep(frame, [parse(text, list(map(str, frame.columns))) for text in texts or ()])


def keep(frame: pd.DataFrame, conditions: Sequence[Condition]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that meet every condition, and notes that say how many do not and of how many it is unknown.

    UsageError, with what there is, for a text that no row has.
    """
    kept = pd.Series(True, index=frame.index)
    notes = []
    for condition in conditions:
        values = frame[condition.name]
        kept &= _meets(values, condition)
        missing = int(values.isna().sum())
        if missing:
            notes.append(f"--filter {condition.text}: {_rows(missing)} left out, whose {condition.name} is unknown")
    if conditions:
        said = " ".join(f"--filter {condition.text}" for condition in conditions)
        notes.insert(0, f"{int(kept.sum())} of {_rows(len(frame))} kept by {said}")
    return frame[kept], tuple(notes)


def _meets(values: pd.Series, condition: Condition) -> pd.Series:
    if condition.sign in ("=", "!="):
        wanted = list(condition.values)
        if values.dtype == "string":
            known = [str(value) for value in values.dropna().unique()]
            for word in condition.values:
                if word not in known:
                    raise _unmet(str(word), condition, known)
        equal = values.isin(wanted)
        return (equal if condition.sign == "=" else ~equal & values.notna()).fillna(False).astype(bool)
    return SIGNS[condition.sign](values, condition.values[0]).fillna(False).astype(bool)


def _unmet(word: str, condition: Condition, known: Sequence[str]) -> UsageError:
    match = nearest(word, known)
    hint = f" Did you mean {match!r}?" if match else ""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return UsageError(f"--filter {condition.text}: no row has {condition.name} {word!r}.{hint} Allowed: {shown}")


def _word(name: str, text: str) -> str:
    return re.sub("[X×*]", "x", text.strip()) if name == SHAPE else text.strip()


def _rows(count: int) -> str:
    return f"{units.whole(count)} row{'' if count == 1 else 's'}"
