"""Conditions as they are typed, `latency<2ms`, `operator=a2u,carafe`, `shape=1x64x32x32`, and which rows meet them.

One grammar for `--filter`, `--budget` and `--fail-if`: a column, a sign, a value; several are joined by semicolons or
commas.
"""

from __future__ import annotations

import operator as python
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from a2u_bench import units
from a2u_bench.case import typed
from a2u_bench.columns import SHAPE, SHOWN, SUBJECT
from a2u_bench.errors import UsageError, nearest, unknown

ALIASES = {"memory": "peak_memory", "mem": "peak_memory", "time": "latency", "quality": "psnr"}
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": python.le,
    ">=": python.ge,
    "!=": python.ne,
    "<": python.lt,
    ">": python.gt,
    "=": python.eq,
}
EXAMPLES = {
    "--filter": "operator=a2u, latency<2ms, shape=1x64x32x32, dtype!=float64",
    "--budget": "latency=2ms,memory=64MB",
    "--fail-if": "latency>5%, memory>64MB",
}
KINDS = {
    "s": ("time with its unit", "2ms, 20us or 1s"),
    "B": ("size with its unit", "64MB, 64MiB or 1GB"),
    "dB": ("number of decibels", "30dB or 30"),
    "": ("plain number", "2M, 1500 or 0.9"),
}
"""What a quantity of each unit is called, and how one is written."""

WITH_OPTIONS = ("operator", "options", "variant")
OPTIONS_TOO = ("mode",)
"""Columns whose names are operators' options as well: after `options=sapa:` it is the option."""

FREE_TEXT = ("reason", "note")
WHO = (*SUBJECT, "pair")
"""Columns by which operators are chosen one by one."""

Typed = Mapping[str, Mapping[str, Sequence[str]]]
"""Of a column what is typed for each name that tables print, in small letters."""

_CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|!=|==|<|>|=)\s*(.*?)\s*", re.DOTALL)
_MARK = re.compile("([,;])")
_AND = re.compile(r"\s(?:and|or|&+|\|+)\s+[A-Za-z_]\w*\s*[<>!=]", re.IGNORECASE)
_BETWEEN_VALUES = re.compile(r",(?!\s*[A-Za-z_][\w-]*\s*=)")  # not the commas of a2u:rank=4,sharing=unshared


@dataclass(frozen=True)
class Condition:
    """A column, a sign, and the values one of which is meant: texts, or numbers in SI units."""

    name: str
    sign: str
    values: tuple[str, ...] | tuple[float, ...]
    text: str


def apart(texts: Sequence[str]) -> list[str]:
    """The single conditions in `texts`, parted at semicolons, and at commas that a column and a sign follow.

    A comma between values stays, and so does one between the options of an operator, and both inside a free text.
    """
    found: list[str] = []
    for text in texts:
        first, *rest = _MARK.split(text)
        found.append(first)
        for mark, part in zip(rest[::2], rest[1::2], strict=True):
            if _begins(part, found[-1], mark):
                found.append(part)
            else:
                found[-1] += mark + part
    return [part.strip() for part in found if part.strip()]


def _begins(part: str, before: str, mark: str) -> bool:
    """Whether the text after a mark is a condition of its own rather than the rest of the one before."""
    here, last = _CONDITION.fullmatch(part), _CONDITION.fullmatch(before)
    if last is None or not before.strip() or not part.strip():
        return True
    if last[1] in FREE_TEXT:
        return False
    if mark == ";" or here is None:
        return mark == ";"
    name = ALIASES.get(here[1], here[1])
    if last[1] in WITH_OPTIONS:
        return name in SHOWN and not (name in OPTIONS_TOO and ":" in last[3].rpartition(",")[2])
    return True


def choose_operators(texts: Sequence[str]) -> bool:
    """Whether a condition in `texts` is about who rather than about what was measured."""
    return any(split(one, "--filter")[0] in WHO for one in apart(texts))


def split(text: str, flag: str) -> tuple[str, str, str]:
    """Name, sign and value of `NAME<VALUE`. UsageError for anything else."""
    found = _CONDITION.fullmatch(text)
    if not found or not found[3]:
        raise UsageError(
            f"{flag} {text!r}: no condition. Allowed: a column, one of = != < <= > >=, a value: {EXAMPLES[flag]}"
        )
    if found[1] not in FREE_TEXT and _AND.search(found[3]):
        raise UsageError(
            f"{flag} {text!r}: two conditions in one. Allowed: a ; between conditions, which all must hold"
        )
    return ALIASES.get(found[1], found[1]), found[2].replace("==", "="), found[3]


def quantity(text: str, flag: str, name: str, value: str) -> float:
    """The value, in SI units, of a condition on that column. UsageError for one without its unit or of another kind."""
    unit = SHOWN[name].unit
    kind, example = KINDS[unit]
    short = next((alias for alias, full in ALIASES.items() if full == name and alias in text), name)
    if value.startswith("-"):
        raise UsageError(f"{flag} {text}: below zero. Allowed: a number from 0 up, such as {example}")
    if unit in units.USUAL and value and value[-1] in "0123456789.":
        usual = f"{short}{split(text, flag)[1]}{value}{units.USUAL[unit]}"
        raise UsageError(f"{flag} {text}: no unit. Allowed: a number with its unit, such as {usual}")
    try:
        return units.read(value, unit)
    except ValueError:
        raise UsageError(
            f"{flag} {text}: {value!r} is no {kind}. Allowed: a {kind}, such as {short}={example}"
        ) from None


def parse(
    text: str, columns: Sequence[str], flag: str = "--filter", printed: Typed = MappingProxyType({})
) -> Condition:
    """The condition in `text` on one of `columns`; names in it may be those that are `printed`.

    UsageError for an unknown column, a value of another kind, or the name of several operators.
    """
    name, sign, value = split(text, flag)
    if name not in columns:
        raise unknown(f"column in {flag}", name, columns)
    if name not in SHOWN or SHOWN[name].dtype == "string":
        if sign not in ("=", "!="):
            raise UsageError(f"{flag} {text!r}: {name} is a text; allowed: = and !=")
        words = [value] if name in FREE_TEXT else _BETWEEN_VALUES.split(value)
        if name in printed:
            words = _each_as_typed(words, printed[name], f"{flag} {text}")
        return Condition(name, sign, tuple(_word(name, word) for word in words), text)
    parts = value.split(",") if sign in ("=", "!=") else [value]
    return Condition(name, sign, tuple(quantity(text, flag, name, part.strip()) for part in parts), text)


def _each_as_typed(words: Sequence[str], printed: Mapping[str, Sequence[str]], asked: str) -> list[str]:
    """The words, whose commas may stand inside a printed name, each as it is typed."""
    found, start = [], 0
    while start < len(words):
        ends = range(len(words), start, -1)
        end = next((end for end in ends if ",".join(words[start:end]).strip().casefold() in printed), start + 1)
        found.append(as_typed(",".join(words[start:end]), printed, asked))
        start = end
    return found


def as_typed(text: str, printed: Mapping[str, Sequence[str]], asked: str) -> str:
    """What is typed for a printed name; any other text as it is. UsageError for the name of several operators."""
    text = text.strip()
    meant = printed.get(text.casefold(), ())
    if any(text in typed for typed in printed.values()):
        return text
    if len(meant) > 1:
        raise UsageError(f"{asked}: {text!r} is the name of several operators; allowed: {'; '.join(meant)}")
    return meant[0] if meant else text


def narrow(
    frame: pd.DataFrame, texts: Sequence[str] | None, printed: Typed = MappingProxyType({})
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that meet every condition, and notes as `keep` makes them. UsageError for what is no condition."""
    columns = list(map(str, frame.columns))
    return keep(frame, [parse(text, columns, printed=printed) for text in apart(texts or ())])


def keep(frame: pd.DataFrame, conditions: Sequence[Condition]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows that meet every condition, and notes that say how many do not and of how many it is unknown.

    UsageError, with what there is, for a text that no row has, and where rows have none that meets every condition.
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
        if len(frame) and not kept.any():
            raise UsageError(f"no row is left: {'; '.join(notes)}")
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
    if not known:
        return UsageError(f"--filter {condition.text}: no row has a {condition.name}")
    match = nearest(word, known)
    hint = f" Did you mean {match!r}?" if match else ""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return UsageError(f"--filter {condition.text}: no row has {condition.name} {word!r}.{hint} Allowed: {shown}")


def _word(name: str, text: str) -> str:
    text = text.strip()
    return re.sub("[X×*]", "x", text) if name == SHAPE else typed(name, text)


def _rows(count: int) -> str:
    return f"{units.whole(count)} row{'' if count == 1 else 's'}"
