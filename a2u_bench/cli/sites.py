"""`sites`: every place where a person's own network upsamples, and what an operator there adds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.tables.table import Table

Many = list[str]


def command(
    network: Annotated[
        str, typer.Argument(metavar="MODULE:CALLABLE", help="What makes it: mynet.py:make, or mynet:make:classes=19.")
    ],
    shape: Annotated[str, typer.Option(metavar="BxCxHxW", help="Of the image that it is given.")] = "1x3x512x512",
    op: Annotated[str | None, typer.Option(metavar="OP", help="Put this operator there, and say what it adds.")] = None,
    sites: Annotated[
        Many | None,
        typer.Option(help="Which ones: names of the first column, or all. [default: where nothing is said]"),
    ] = None,
    cascade: Annotated[
        bool, typer.Option("--cascade", help="×4 as two operators of ×2, as papers count them.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of weights and image.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> None:
    """List where a network upsamples.

    With --op: what the operator adds at each place, and the parameters of the network before and after.
    """
    from a2u_bench import operators
    from a2u_bench.cli._table import listed
    from a2u_bench.errors import UsageError
    from a2u_bench.suites.values import parse_shape

    if op is None and (sites or cascade):
        raise UsageError(f"{'--sites' if sites else '--cascade'} needs --op OP, the operator that is put there")
    sides = parse_shape(shape)
    original = operators.own_network(network, seed)
    before = _params(original)
    if op is None:
        found, after = operators.sites(original, sides, seed), None
    else:
        made, found = operators.swapped(original, op, sides, listed(sites) or None, cascade, seed)
        after = _params(made)
    if as_json:
        import json

        content = {"network": network, "shape": list(sides), "params": before, "params_with": after}
        typer.echo(json.dumps({**content, "sites": [_plain(one) for one in found]}, indent=2))
        return
    from a2u_bench.tables.terminal import print_table

    print_table(_table(network, sides, found, (before, after)))


def _params(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _plain(choice: Any) -> dict[str, Any]:
    """A site and what was done there, as JSON has it."""
    site = choice.site
    return {
        "site": site.name,
        "kind": site.kind,
        "mode": site.mode or None,
        "z": list(site.shape),
        "result": list(site.result),
        "guide": None if site.guide is None else list(site.guide),
        "align_corners": site.align_corners,
        "operator": choice.operator or None,
        "scales": list(choice.scales),
        "guided": choice.guided,
        "params": choice.params,
        "align": choice.align,
        "removed": choice.removed,
        "reason": choice.reason or None,
        "notes": list(site.notes),
    }


def _table(network: str, shape: Any, found: Any, params: tuple[int, int | None]) -> Table:
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.units import whole

    before, after = params
    headings = [
        Heading("site", "site", right=False, whole=True),
        Heading("kind", "call", right=False),
        Heading("z", "z", right=False, whole=True),
        Heading("scale", "scale", right=False, whole=True),
        Heading("guide", "guide", right=False, whole=True),
    ]
    if after is not None:
        headings += [Heading("params", "params"), Heading("align", "align")]
    cells = []
    told: dict[str, list[str]] = {}
    for choice in found:
        site = choice.site
        cell = [
            site.name,
            " ".join(filter(None, (site.kind, site.mode))),
            _size(site.shape),
            _scale(choice),
            _guide(site),
        ]
        if after is not None:
            cell += [whole(choice.params), whole(choice.align)] if choice.operator else ["", ""]
        cells.append(tuple(cell))
        if about := choice.reason or "; ".join(site.notes):
            told.setdefault(about, []).append(site.name)
    taken = sum(bool(choice.operator) if after is not None else not choice.reason for choice in found)
    notes = [
        f"{len(found)} site{'s' * (len(found) != 1)}, {taken} of them {'swapped' if after is not None else 'to swap'}"
    ]
    notes += [f"{', '.join(names)}: {about}" for about, names in told.items()]
    if not found:
        notes = ["no site: nothing that upsamples was called"]
    if after is None:
        notes.append(f"parameters: {whole(before)}")
    else:
        removed = sum(choice.removed for choice in found)
        gone = f", of which {whole(removed)} of layers that are no longer needed are gone" if removed else ""
        notes.append(f"parameters: {whole(before)} before, {whole(after)} after{gone}")
        notes.append("align: parameters of 1×1 convolutions where widths differ, part of params")
    return Table(f"{network}, image {_size(shape)}", tuple(headings), tuple(cells), tuple(notes))


def _size(shape: Any) -> str:
    return "×".join(map(str, shape))


def _guide(site: Any) -> str:
    return "none" if site.guide is None else _size(site.guide)


def _scale(choice: Any) -> str:
    """×4; ×2×2 where two operators stand there; both axes where they differ."""
    if len(choice.scales) > 1:
        return "×" + "×".join(map(str, choice.scales))
    rows, columns = (f"{ratio:.3g}" for ratio in choice.site.ratio)
    return f"×{rows}" if rows == columns else f"×{rows}, ×{columns}"
