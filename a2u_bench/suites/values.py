"""Values as they are typed on a command line: shapes, bytes, seconds, shares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from a2u_bench import units
from a2u_bench.case import typed
from a2u_bench.errors import UsageError, unknown

MAX_SIDE = 1 << 20
MAX_ELEMENTS = 1 << 32

Shape = tuple[int, int, int, int]


def parse_shape(text: str) -> Shape:
    """Four positive integers B, C, H, W from ``1x64x32x32`` (× and * do as well). UsageError for anything else."""
    parts = re.split(r"[xX×*]", text.strip())
    if len(parts) != 4 or not all(re.fullmatch(r"[0-9]{1,12}", part) for part in parts):
        raise UsageError(f"cannot read shape {text!r}. Allowed: BxCxHxW, four positive integers, such as 1x64x32x32")
    batch, channels, height, width = (int(part) for part in parts)
    if min(batch, channels, height, width) < 1:
        raise UsageError(f"shape {text!r} has a side of 0. Allowed: sides of at least 1, such as 1x64x32x32")
    if max(batch, channels, height, width) > MAX_SIDE or batch * channels * height * width > MAX_ELEMENTS:
        raise UsageError(
            f"shape {text!r} is too large. Allowed: sides up to {MAX_SIDE}, {MAX_ELEMENTS} elements in all"
        )
    return (batch, channels, height, width)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width from ``448x320``, or ``448`` for both. UsageError for anything else."""
    parts = re.split(r"[xX×*]", text.strip())
    if len(parts) > 2 or not all(re.fullmatch(r"[1-9][0-9]{0,6}", part) and int(part) <= MAX_SIDE for part in parts):
        raise UsageError(f"cannot read size {text!r}. Allowed: HxW of the output, or one side of a square, as 448")
    return int(parts[0]), int(parts[-1])


def parse_bytes(text: str) -> int:
    """Bytes from ``8GiB``, ``512 MB`` or a plain number. UsageError for anything else, and for less than one byte."""
    try:
        count = units.read(text, "B")
    except ValueError as error:
        raise UsageError(f"--memory-limit: {error}") from None
    if not 1 <= count < 1 << 60:
        raise UsageError(f"--memory-limit {text}: out of range. Allowed: 1B and more, such as 8GiB")
    return int(count)


def parse_seconds(flag: str, text: str) -> float:
    """Seconds from ``90``, ``90s``, ``500ms`` or ``5min``. UsageError, which names the flag, for anything else."""
    try:
        return units.read(text, "s")
    except ValueError:
        raise UsageError(
            f"{flag} {text!r}: no duration. Allowed: seconds, or a unit, as 90, 90s, 500ms or 5min"
        ) from None


def parse_share(flag: str, text: str) -> float:
    """A share from ``0.02`` or ``2%``. UsageError, which names the flag, for anything else."""
    number, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError
        share = units.read(number, "") / (100 if percent else 1)
    except ValueError:
        raise UsageError(f"{flag} {text!r}: no share. Allowed: a number or a percentage, as 0.02 or 2%") from None
    if share >= 1:
        raise UsageError(f"{flag} {text!r}: not below 1. Allowed: a number or a percentage, as 0.02 or 2%")
    return share


def texts(values: str | Iterable[int | str]) -> list[str]:
    """Values repeated or joined by commas, as one list."""
    given = [values] if isinstance(values, str) else [str(value) for value in values]
    return [part.strip() for value in given for part in value.split(",") if part.strip()]


def choices(what: str, values: str | Sequence[str], allowed: Sequence[str], default: str) -> tuple[str, ...]:
    """The values that are given, each once, or the default. UsageError for what is not allowed."""
    given = [typed(what, value) for value in texts(values) or [default]]
    for value in given:
        if value not in allowed:
            raise unknown(what, value, allowed)
    return tuple(dict.fromkeys(given))


def counts(what: str, values: Sequence[int | str], largest: int) -> tuple[int, ...]:
    """The integers that are given, each once. UsageError for anything but 1 to `largest`."""
    for value in texts(values):
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= largest:
            raise UsageError(f"cannot use {what} {value!r}. Allowed: integers from 1 to {largest}")
    return tuple(dict.fromkeys(int(value) for value in texts(values)))
