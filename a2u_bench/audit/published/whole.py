"""Whole networks of other libraries in a published table: their own counts, and the places where operators go."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from a2u_bench.audit.published.table import PublishedCell, PublishedSite, PublishedTable, Quantity, Whole

if TYPE_CHECKING:
    from a2u_bench.operators.networks.counted import CountedPart


def own_lines(cell: PublishedCell) -> tuple[CountedPart, ...]:
    """What the cell's network counts by itself, in lines that add up; none for a cell of what an operator adds.

    Impossible, with what to install, where its library cannot be imported.
    """
    return () if cell.whole is None or cell.printed.is_added else _lines(cell.whole, cell.quantity)


def at_its_sites(cell: PublishedCell, table: PublishedTable) -> PublishedTable:
    """The table with the sites of a cell's network in place of its own. Errors as above."""
    return table if cell.whole is None else replace(table, sites=_sites(cell.whole))


@cache
def _lines(whole: Whole, quantity: Quantity) -> tuple[CountedPart, ...]:
    from a2u_bench.operators.networks.published import published

    network = published(whole.network)
    return tuple(network.params() if quantity == "params" else network.macs(whole.height, whole.width))


@cache
def _sites(whole: Whole) -> tuple[PublishedSite, ...]:
    """Where `find_sites` finds places for operators in it, ×4 as two of ×2; guides are as wide as z."""
    from a2u_bench.operators.networks.published import published

    found = published(whole.network).upsamplings(whole.height, whole.width)
    return tuple(PublishedSite(*shape, count) for shape, count in sorted(found.items()))
