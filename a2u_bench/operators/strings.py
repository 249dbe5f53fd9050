"""Operator strings: how `a2u:rank=4,sharing=unshared` is split, read and written in its one canonical form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from a2u_bench.errors import UsageError

OptionValue = bool | int | float | str | None

_KEY = r"[A-Za-z_][\w-]*\s*="
_BEFORE_KEY = re.compile(rf",\s+(?={_KEY})")
_SEPARATOR = re.compile(rf"[\s;]+|,(?!{_KEY})")
_WORDS: dict[str, OptionValue] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class OperatorString:
    """The name of an operator and the options that were given with it."""

    name: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)


def split(text: str | Iterable[str]) -> list[str]:
    """The single operator strings in `text`, split at spaces, semicolons and commas that no ``key=`` follows.

    Several texts are split one by one and joined, in order.
    """
    if not isinstance(text, str):
        return [part for one in text for part in split(one)]
    return [part for part in _SEPARATOR.split(_BEFORE_KEY.sub(",", text)) if part]


def parse(text: str) -> OperatorString:
    """Read one operator string: ``name``, ``name:key=value,…``, or ``package.module:Class[:key=value,…]``.

    Where a file in this folder is named, ``mine.py:Class``, its module is meant. Raises UsageError for anything else,
    and for an option that is given twice.
    """
    head, colon, tail = text.rpartition(":")
    if "=" not in tail:
        if not tail or (colon and not (head and tail.isidentifier())):
            raise UsageError(f"cannot read operator {text!r}. Allowed: NAME or NAME:option=value,option=value")
        return OperatorString(_in_file(text))
    if not head:
        raise UsageError(f"operator {text!r} has options but no name. Allowed: NAME:option=value,option=value")
    return OperatorString(_in_file(head), options_in(tail, text))


def _in_file(name: str) -> str:
    """The name, or of a class in a file of this folder its module and class. UsageError for a file elsewhere."""
    path, colon, member = name.partition(":")
    if not colon or not path.endswith(".py"):
        return name
    folder, file = os.path.split(os.path.relpath(path))
    own = f"{file.removesuffix('.py')}:{member}"
    if folder:
        raise UsageError(f"operator {name!r} is in no file of this folder. Allowed: {own}, with PYTHONPATH={folder}")
    return own


def options_in(tail: str, text: str) -> dict[str, OptionValue]:
    """The options of ``key=value,…``, which ends `text`. UsageError for anything else, and for one given twice."""
    options: dict[str, OptionValue] = {}
    for part in tail.split(","):
        key, equals, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if not (equals and key.isidentifier() and value.strip()):
            raise UsageError(f"cannot read option {part!r} of operator {text!r}. Allowed: option=value")
        if key in options:
            raise UsageError(f"option {key!r} is given twice in {text!r}")
        options[key] = parse_value(value.strip())
    return options


def parse_value(text: str) -> OptionValue:
    """`true`, `false`, `none`, an integer or a finite number as such; every other text as it stands."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][+-]?\d{1,2})?", text):
        return float(text)
    return text


def canonical(name: str, options: Mapping[str, OptionValue], defaults: Mapping[str, OptionValue]) -> str:
    """The operator string with options sorted and those that equal their default left out."""
    kept = {key: value for key, value in options.items() if key not in defaults or not _same(value, defaults[key])}
    if not kept:
        return name
    return f"{name}:" + ",".join(f"{key}={write_value(kept[key])}" for key in sorted(kept))


def write_value(value: OptionValue) -> str:
    """The text that `parse_value` reads back as `value`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _same(value: OptionValue, default: OptionValue) -> bool:
    # True equals 1 in Python, but `nonlinear=1` is not the same words as `nonlinear=true`.
    return value == default and isinstance(value, bool) == isinstance(default, bool)
