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


class UnknownOperator(KeyError):
    """A name that no operator has."""

    def __str__(self) -> str:
        return str(self.args[0])


class BrokenOperator(UnknownOperator):
    """A user's own operator, MODULE:CLASS, that does not load or is none; the message says why."""


def nearest_hint(given: str, allowed: Iterable[str]) -> str:
    """The tail of an error: the nearest allowed word, if one is near, and the whole list."""
    words = list(allowed)
    near = difflib.get_close_matches(given, words, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(words) if words else 'none'}"
