"""Text from files and plug-ins made safe for a terminal: control and escape characters never reach it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]?)")
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # control characters
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # invisible ones and those that turn the direction of writing
    r"\ud800-\udfff]"  # halves of characters, which cannot be encoded
)


def plain(text: str) -> str:
    """`text` on one line, without escape sequences; every other unseen character becomes a space."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(" ", _ESCAPES.sub("", text))


def some(names: Iterable[object], most: int = 4, between: str = "; ") -> str:
    """Names in a line, each once, the first few and a count where they are many: `a; b; c and 9 more`."""
    different = list(dict.fromkeys(map(str, names)))
    most += len(different) == most + 1  # "and 1 more" is no shorter
    more = f" and {len(different) - most} more" if len(different) > most else ""
    return f"{between.join(different[:most])}{more}"
