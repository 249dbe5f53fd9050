"""The two errors a person may see: a wrong request (exit 2) and a failure of the work itself (exit 1)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class BenchError(Exception):
    """The request was sound but could not be carried out; the message is one line. Exit code 1."""


class UsageError(Exception):
    """The request itself is wrong: the message is one line with what was given, what is allowed and the nearest match.

    Exit code 2.
    """


MANY = 12
"""Names that an error spells out, at most; of more of the schema it gives those that are near, and the usual ones."""
OF_THE_SCHEMA = ("column", "measure", "quantity")
USUAL = ("operator", "options", "shape", "dtype", "latency", "peak_memory", "params", "macs", "psnr")


def nearest(given: str, allowed: Iterable[str]) -> str:
    """The member of `allowed` that is spelt most like `given`, or "" where none is near."""
    found = get_close_matches(given, list(allowed), n=1, cutoff=0.6)
    return found[0] if found else ""


def unknown(what: str, given: str, allowed: Iterable[str]) -> UsageError:
    """The error for a value outside a list: what was given, the nearest match where there is one, what is allowed."""
    members = list(allowed)
    match = nearest(given, members)
    hint = f" Did you mean {match!r}?" if match else ""
    if what.startswith(OF_THE_SCHEMA) and len(members) > MANY:
        near = get_close_matches(given, members, n=3, cutoff=0.6)
        shown = list(dict.fromkeys([*near, *(name for name in USUAL if name in members)]))
        return UsageError(
            f"unknown {what} {given!r}.{hint} Allowed: {', '.join(shown)} and {len(members) - len(shown)} more; "
            "the first line of `a2u-bench export --columns all` has every stored column"
        )
    return UsageError(f"unknown {what} {given!r}.{hint} Allowed: {', '.join(members)}")


class Unwritten(BenchError):
    """Results could not be written; `rows` holds those measured so far, stored or not."""

    def __init__(self, message: str, rows: list[dict[str, Any]]) -> None:
        super().__init__(message)
        self.rows = rows
