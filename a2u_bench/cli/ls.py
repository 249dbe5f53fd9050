"""`ls`: every operator that can be measured."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False) -> None:
    """List the operators and what they need."""
    from a2u_bench.cli._remembered import remembered

    operators = remembered("ls", _operators)
    if as_json:
        import json

        typer.echo(json.dumps(operators, indent=2))
        return
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    headings = (
        Heading("name", "name", right=False, whole=True),
        Heading("family", "family", right=False, whole=True),
        Heading("guide", "guide", right=False, whole=True),
        Heading("paper", "title (paper)", right=False),
    )
    cells = tuple(
        (
            one["name"],
            one["family"].removesuffix("-based").removesuffix(" order").removeprefix("learned "),
            one["guide"],
            _with_paper(one),
        )
        for one in operators
    )
    notes = (
        "family: w from distance, learned and static, or from features of first or second order",
        "a2u-bench show NAME: options, border, groups and taps of its kernels, cost",
    )
    print_table(Table("", headings, cells, notes))


def _with_paper(one: dict[str, Any]) -> str:
    from a2u_bench.paper_names import first_family

    return f"{one['title']} ({first_family(one['authors'])}, {one['year']})" if one["paper"] else str(one["title"])


def _paper(paper: Any) -> dict[str, Any]:
    """Where an operator was published, unknown of what is not."""
    if paper is None:
        return dict.fromkeys(("paper", "authors", "venue", "year", "arxiv"))
    return {
        "paper": paper.title,
        "authors": paper.authors,
        "venue": paper.venue,
        "year": paper.year,
        "arxiv": paper.arxiv or None,
    }


def _operators() -> list[dict[str, Any]]:
    """Every operator's facts as plain data; plug-ins that are left out are named on standard error."""
    from a2u_bench import operators

    for problem in operators.plugin_problems():
        typer.echo(f"note: {problem}", err=True)
    return [
        {
            "name": facts.name,
            "title": facts.title,
            **_paper(facts.paper),
            "family": facts.family,
            "guide": facts.guide if facts.guide_size == "output" else "image",
            "groups": facts.groups,
            "taps": facts.taps,
            "kernel_size": facts.kernel_size,
            "border": facts.border,
            "twin": facts.twin,
            "variants": len(facts.variants),
        }
        for facts in map(operators.facts, operators.names())
    ]
