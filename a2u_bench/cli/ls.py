"""`ls`: every operator that can be measured."""

from __future__ import annotations

from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False) -> None:
    """List the operators and what they need."""
    from a2u_bench import build

    operators = [build.facts(name) for name in build.names()]
    for problem in build.plugin_problems():
        typer.echo(f"note: {problem}", err=True)
    if as_json:
        import json

        content = [
            {
                "name": facts.name,
                "title": facts.title,
                "paper": facts.paper.title,
                "authors": facts.paper.authors,
                "venue": facts.paper.venue,
                "year": facts.paper.year,
                "arxiv": facts.paper.arxiv or None,
                "family": facts.family,
                "guide": facts.guide,
                "groups": facts.groups,
                "taps": facts.taps,
                "kernel_size": facts.kernel_size,
                "border": facts.border,
                "twin": facts.twin,
                "variants": len(facts.variants),
            }
            for facts in operators
        ]
        typer.echo(json.dumps(content, indent=2))
        return
    from a2u_bench.cells import Heading, Table
    from a2u_bench.render import print_table

    headings = (
        Heading("name", "name", right=False, whole=True),
        Heading("family", "family", right=False, whole=True),
        Heading("guide", "guide", right=False, whole=True),
        Heading("border", "border", right=False, whole=True),
        Heading("groups", "G", right=False, whole=True),
        Heading("taps", "K", right=False, whole=True),
        Heading("variants", "n"),
        Heading("paper", "title (paper)", right=False),
    )
    cells = tuple(
        (
            facts.name,
            facts.family.removesuffix("-based").removesuffix(" order").removeprefix("learned "),
            facts.guide,
            facts.border,
            facts.groups.partition(" in ")[0],
            facts.taps.partition(" (")[0],
            str(len(facts.variants)),
            f"{facts.title} ({facts.paper.authors.partition(',')[0]}, {facts.paper.year})",
        )
        for facts in operators
    )
    notes = (
        "family: w from distance, learned and static, or from features of first or second order",
        "G: kernel groups, K: taps of a kernel, n: declared variants; `a2u-bench show NAME` says more",
    )
    print_table(Table("", headings, cells, notes))
