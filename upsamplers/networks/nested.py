"""Tensors in what modules take and return: lists, tuples, dicts and dataclasses of them, to any depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

Keys = tuple[int | str, ...]


def tensors(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Tensor]]:
    """Every tensor in a value, with the keys that lead to it."""
    if isinstance(value, Tensor):
        yield keys, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if isinstance(key, (int, str)):
                yield from tensors(part, (*keys, key))
    elif isinstance(value, (list, tuple)):
        for place, part in enumerate(value):
            yield from tensors(part, (*keys, place))
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from tensors(getattr(value, one.name, None), (*keys, one.name))


def reached(value: Any, keys: Keys) -> Any:
    """The part of a value to which keys lead."""
    for key in keys:
        part: Any = key
        value = value[part] if isinstance(value, (Mapping, list, tuple)) else getattr(value, part)
    return value
