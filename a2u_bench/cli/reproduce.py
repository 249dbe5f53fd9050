"""`reproduce`: published cost tables beside what the modules themselves count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fractions import Fraction

    from a2u_bench.audit.published import PublishedTable, Source
    from a2u_bench.audit.published.reproduce import OperatorCost, Reproduced


def command(
    table: Annotated[
        str, typer.Argument(metavar="TABLE", help="A table of the package, such as segformer-b1, or a FILE.toml.")
    ],
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in single parameters and operations.")] = False,
) -> None:
    """Recompute a published cost table from the operators.

    Each cell gets a verdict. A FILE.toml has the upsamplers of your own network: a [[site]] for each, with channels,
    height and width of its low-resolution map, and if need be count, scale and guide_channels; at its top
    operators = ["a2u", "carafe"].
    """
    from a2u_bench.audit.published import find
    from a2u_bench.audit.published.reproduce import costs, reproduce
    from a2u_bench.cli._table import check_convention

    check_convention(convention)
    found = find(table)
    cells, alone = reproduce(found), costs(found)
    if as_json:
        import json

        typer.echo(json.dumps(_content(found, cells, alone, convention), indent=2, allow_nan=False))
        return
    from a2u_bench.cli._published import texts
    from a2u_bench.tables.terminal import print_table

    for number, text in enumerate(texts(found, cells, alone, convention)):
        if number:
            typer.echo()
        print_table(text)


def _content(
    table: PublishedTable, cells: list[Reproduced], alone: list[OperatorCost], convention: str
) -> dict[str, Any]:
    """All there is, in single parameters and, by `convention`, multiply-adds or operations."""
    from dataclasses import asdict

    from a2u_bench.units import CONVENTIONS

    factor = CONVENTIONS[convention][1]
    return {
        "table": table.name,
        "title": table.title,
        "convention": convention,
        "sites": [asdict(site) for site in table.sites],
        "cells": [
            {
                "label": one.cell.label,
                "operator": one.cell.operator,
                "quantity": one.cell.quantity,
                "printed": one.cell.printed.text,
                "unit": one.cell.unit or None,
                "published": float(one.cell.printed.value * (factor if one.cell.unit else 1)),
                "recomputed": None
                if one.recomputed is None
                else _number(one.recomputed * (factor if one.cell.unit else 1)),
                "verdict": one.verdict,
                "why": one.why,
                "without": list(one.cell.without),
                "lines": [
                    {"what": line.what, "count": line.count * (factor if one.cell.unit else 1)} for line in one.lines
                ],
                "sites": [asdict(site) for site in one.sites],
                "source": _source(one.cell.source),
            }
            for one in cells
        ],
        "operators": [
            {
                "operator": cost.operator,
                "params": cost.params,
                "macs": None if cost.macs is None else cost.macs * factor,
                "reason": cost.reason or None,
            }
            for cost in alone
        ],
        "facts": [
            {
                "operator": fact.operator,
                "quantity": fact.quantity,
                "printed": fact.printed,
                "note": fact.note or None,
                "source": _source(fact.source),
            }
            for fact in table.facts
        ],
    }


def _number(value: int | Fraction) -> int | float:
    return value if isinstance(value, int) else float(value)


def _source(source: Source | None) -> dict[str, Any] | None:
    from dataclasses import asdict

    return None if source is None else asdict(source)
