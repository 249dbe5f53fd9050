"""The fields of a TOML file a person wrote: each has its type or is an error of one line that says what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from a2u_bench.errors import UsageError, unknown

WORDS = {str: "a text", int: "an integer", bool: "true or false", list: "a list", dict: "a table"}

Field = TypeVar("Field", str, int, bool, list[Any], dict[str, Any])


def typed(entry: dict[str, Any], what: str, key: str, default: Field) -> Field:
    """The value of a key, which must have the type of the default; the default where the key is not given."""
    value = entry.get(key, default)
    if type(value) is not type(default):
        raise UsageError(f"{what}: {key} = {value!r}. Allowed: {WORDS[type(default)]}")
    return value


def texts(entry: dict[str, Any], what: str, key: str) -> tuple[str, ...]:
    """A list of texts, empty where it is not given."""
    values: list[Any] = typed(entry, what, key, [])
    if not all(isinstance(value, str) for value in values):
        raise UsageError(f"{what}: {key} = {values!r}. Allowed: a list of texts")
    return tuple(values)


def entries(content: dict[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    """The tables under ``[[key]]``, numbered from one."""
    values: list[Any] = typed(content, "the table", key, [])
    if not all(isinstance(value, dict) for value in values):
        raise UsageError(f"{key} must be tables, each under [[{key}]]")
    return list(enumerate(values, 1))


def check_keys(entry: dict[str, Any], what: str, allowed: Sequence[str], needed: Sequence[str] = ()) -> None:
    """UsageError for a key that is not allowed, and for one that is needed and missing."""
    for key in entry:
        if key not in allowed:
            raise UsageError(f"{what}: {unknown('key', key, allowed)}")
    for key in needed:
        if key not in entry:
            raise UsageError(f"{what}: has no {key}. Needed: {', '.join(needed)}")
