"""What can be wrong with a request for an operator, in one line each for the person who made it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OptionError(ValueError):
    """An option that the operator does not have, or a value out of its range."""


class Unsupported(ValueError):
    """An operator that exists but cannot serve these channels, this scale or this shape."""


class StateDictError(ValueError):
    """Weights that do not fit the operator: the keys, their shapes or their values; the message names them."""


class TooLarge(MemoryError):
    """Sizes that no memory here holds; the message says which."""


def is_too_large(error: Exception) -> bool:
    """Whether an error of torch says that what was asked for does not fit; a GPU's own OutOfMemoryError does not count.

    Callers of a GPU catch that one by its type.
    """
    said = ("can't allocate memory", "not enough memory", "overflow", "invalid size", "Invalid size")
    return type(error).__name__ != "OutOfMemoryError" and any(words in str(error) for words in said)


class NetworkError(ValueError):
    """A network in which no site can be found or swapped; the message says why, and what helps where something does."""


class UnknownOperator(KeyError):
    """A name that no operator has."""

    def __str__(self) -> str:
        return str(self.args[0])


class BrokenOperator(UnknownOperator):
    """A user's own operator, MODULE:CLASS, that does not load or is not an operator; the message says why."""


def nearest_hint(given: str, allowed: Iterable[str]) -> str:
    """The tail of an error: the nearest allowed word, if one is near, and the whole list."""
    words = list(allowed)
    near = difflib.get_close_matches(given, words, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(words) if words else 'none'}"
