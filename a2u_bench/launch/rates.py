"""Ceilings of several jobs: for each node, device and number of threads, the best rate that any job of it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Entry = Mapping[str, Any]
PLACE = ("node", "device", "threads")


def better(known: Iterable[Entry], new: Iterable[Entry]) -> list[dict[str, Any]]:
    """Both lists in one, an entry for each place: of each size of a copy and of each dtype the higher rate.

    A ceiling is no typical rate: a job that found less had a neighbour.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in (*known, *new):
        place = tuple(entry.get(name) for name in PLACE)
        found[place] = _best(found[place], entry) if place in found else dict(entry)
    return list(found.values())


def _best(one: Entry, other: Entry) -> dict[str, Any]:
    copies: dict[int, float] = {}
    products: dict[str, float] = {}
    for entry in (one, other):
        for size, rate in entry.get("copy", ()):
            copies[size] = max(rate, copies.get(size, 0.0))
        for dtype, rate in entry.get("matrix", {}).items():
            products[dtype] = max(rate, products.get(dtype, 0.0))
    return {**one, "copy": [[size, rate] for size, rate in sorted(copies.items())], "matrix": products}
