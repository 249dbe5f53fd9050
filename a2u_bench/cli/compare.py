"""`compare`: the table of one run, two runs as before and after, or several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from a2u_bench.tables.view import View

Many = list[str]


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    baseline: Annotated[
        str | None, typer.Option(metavar="OP", help="Show ratios to this operator, or to peers.")
    ] = None,
    by: Annotated[
        Many | None,
        typer.Option(metavar="KEYS", help="The first at the side, the others across: operator,shape,dtype."),
    ] = None,
    columns: Annotated[Many | None, typer.Option(metavar="NAMES", help="What to show: params,latency.")] = None,
    sort: Annotated[Many | None, typer.Option(metavar="NAMES", help="latency, or -latency for slowest first.")] = None,
    keep: Annotated[
        Many | None,
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u,carafe; latency<2ms. All must hold."),
    ] = None,
    ranking: Annotated[
        str | None, typer.Option(metavar="AXIS", help="Whether operators rank alike along it: dtype, threads, shape, …")
    ] = None,
    fail_if: Annotated[
        Many | None,
        typer.Option("--fail-if", metavar="LIMIT", help="latency>5% against the first run; latency>2ms. Exit code 3."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 where --fail-if is inconclusive, or cases are missing.")
    ] = False,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="Compare times of two runs, not their ratios to the reference.")
    ] = False,
    variants: Annotated[
        bool, typer.Option("--variants", help="Show operators at all their options, not at their defaults alone.")
    ] = False,
    names: Annotated[str, typer.Option(help="Operators as papers name them, or as they are typed: option.")] = "paper",
    notes: Annotated[str, typer.Option(help="Under the table: none, short, full.")] = "short",
    everything: Annotated[bool, typer.Option("--all", help="Show every line, however many.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in SI units instead of the table.")] = False,
) -> int:
    """Print the table of a run, or of several.

    Two runs are compared as before and after, by the ratios to their reference operator, which a slower machine leaves
    alone. With --baseline each latency gets its ratio to that operator's and a verdict; with --baseline peers to that
    of its own formula in plain PyTorch, which --suite peers measures. What is best, or not significantly worse than the
    best, is bold.
    """
    from a2u_bench.cli._table import (
        MOST,
        are_typed,
        beside_peers,
        check_convention,
        check_notes,
        known_operators,
        listed,
        print_view,
        read_runs,
    )
    from a2u_bench.errors import UsageError
    from a2u_bench.sanitize import plain
    from a2u_bench.store.completeness import nothing, unended, unplanned

    check_convention(convention)
    check_notes(notes)
    typed = are_typed(names)
    read = read_runs(runs or [])
    if (empty := nothing(read)) and not as_json:
        raise UsageError(empty)
    from a2u_bench.judge import gates  # loads pandas: not for a run that is not there
    from a2u_bench.tables.request import Request
    from a2u_bench.tables.view import make

    request = Request(
        convention,
        baseline,
        tuple(listed(by)),
        tuple(listed(columns)),
        tuple(listed(sort)),
        tuple(keep or ()),
        tuple(fail_if or ()),
        absolute,
        variants=variants,
        known=known_operators(read),
        as_typed=typed,
        notes=notes,
        indent=variants,
    )
    relative = [gate.text for gate in gates.parse_all(request.fail_if) if gate.relative]
    if relative and len(read) == 1 < len(runs or []):
        raise UsageError(
            f"--fail-if {relative[0]} compares two runs, and {read[0].path} is one, however often it is named. "
            "Allowed: BEFORE AFTER"
        )
    view = make(read, request if ranking else beside_peers(request, read))
    if ranking is not None:
        _print_ranking(view, ranking, as_json)
    else:
        print_view(view, as_json, None if everything else MOST)
    if any(outcome.failed for outcome in view.outcomes):
        return 3
    if not strict:
        return 0
    begun = {run.path: few for run in (read if relative else read[-1:]) if (few := unended(run) or unplanned(run))}
    for path, few in begun.items():
        typer.echo(plain(f"note: --strict: {path}: inconclusive, since {few}"), err=True)
    return 4 if begun or any(outcome.unclear for outcome in view.outcomes) else 0


def _print_ranking(view: View, axis: str, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from a2u_bench.tables.rank_agreement import along, to_table
    from a2u_bench.tables.terminal import print_table

    found = along(view.frame, axis, view.reading)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    else:
        print_table(to_table(found))
