"""`show`: what is known of one operator."""

from __future__ import annotations

from typing import Annotated, Any

import typer

SHAPE = (1, 64, 32, 32)
"""B, C, H, W of z for which parameters and multiply-adds are stated."""


def command(
    operator: Annotated[str, typer.Argument(metavar="OP", help="A name, or a name with options: a2u:rank=4.")],
    audit: Annotated[bool, typer.Option("--audit", help="What each tool counts, and what it leaves out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the tables.")] = False,
) -> None:
    """Show an operator: facts, options, variants, costs.

    With --audit: its multiply-adds by the formula, by fvcore and by torch, and the operations that they skip.
    """
    if audit:
        _audit(operator, as_json)
        return
    from a2u_bench.cli._remembered import remembered

    # One with options, or of the person's own file, is no answer that depends on our code alone.
    content = _content(operator) if ":" in operator else remembered(f"show {operator}", lambda: _content(operator))
    if as_json:
        import json

        typer.echo(json.dumps(content, indent=2))
        return
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    options, variants = content["options"], content["variants"]
    unnamed = (Heading("", "", right=False, whole=True), Heading("", "", right=False))
    told = {name: value for name, value in content.items() if name not in ("name", "options", "variants")}
    lines = tuple((name, str(value)) for name, value in told.items() if value is not None)
    print_table(Table(content["name"], unnamed, lines))
    if options:
        heads = (
            *(Heading(name, name, right=False, whole=True) for name in ("option", "default")),
            Heading("allowed", "allowed", right=False, most=14),
            Heading("about", "", right=False),
        )
        texts = (
            (o["name"], _word(o["default"]), ", ".join(map(_word, o["allowed"])) or o["type"], o["about"] or "")
            for o in options
        )
        typer.echo()
        print_table(Table("", heads, tuple(texts)))
    heads = (
        Heading("options", "operator", right=False),
        Heading("variant", "variant", right=False),
        Heading("params", "params"),
        Heading("macs", "MACs"),
    )
    cells = tuple((v["options"], v["variant"], _count(v["params"]), _count(v["macs"])) for v in variants)
    typer.echo()
    print_table(Table("", heads, cells, (f"for z {'×'.join(map(str, SHAPE))}, scale 2",)))


def _content(operator: str) -> dict[str, Any]:
    """What is known of an operator as plain data: facts, options, and each variant with its costs."""
    from a2u_bench import operators
    from a2u_bench.operators import docstrings

    asked = operators.operator(operator)
    facts = operators.facts(asked.name)
    written = operators.operator_class(asked.name)
    meanings = docstrings.of_options(written)
    paper = facts.paper
    variants = [_cost(one) for one in operators.every_variant() if one.name == asked.name]
    if asked.text not in [variant["options"] for variant in variants]:
        variants.insert(0, _cost(asked))
    return {
        "name": facts.name,
        "title": facts.title,
        "about": docstrings.about(written) or None,
        "family": facts.family,
        "paper": f"{paper.authors}: {paper.title}. {paper.venue}, {paper.year}" if paper else None,
        "arxiv": (paper.arxiv if paper else "") or None,
        "guide": facts.guide if facts.guide_size == "output" else f"{facts.guide}: an image of any size",
        "output": "scale times z" if facts.guide_size == "output" else "any size: op(z, image, size)",
        "channels": "any: channels=None" if facts.any_channels else None,
        "authors' call": facts.call or None,
        "G": facts.groups,
        "K": facts.taps,
        "kernel size": facts.kernel_size,
        "border": facts.border,
        "twin": "yes" if facts.twin else "no",
        "scales": ", ".join(map(str, facts.scales)) or "any",
        "options": [
            {
                "name": name,
                "type": option.kind.__name__,
                "default": option.default,
                "allowed": list(option.choices),
                "about": meanings.get(name),
            }
            for name, option in operators.options(asked.name).items()
        ],
        "variants": variants,
    }


def _cost(operator: Any) -> dict[str, Any]:
    """One variant with its parameters and multiply-adds, unknown where the shape does not suit it."""
    from a2u_bench import operators
    from a2u_bench.case import Case

    case = Case(operator.name, operator.variant, operator.text, *SHAPE)
    cost: dict[str, Any] = {"options": operator.text, "variant": operator.variant, "params": None, "macs": None}
    try:
        module: Any = operators.create(case)
    except operators.Impossible:
        return cost
    params = sum(parameter.numel() for parameter in module.parameters())
    return {**cost, "params": params, "macs": module.macs(case.height, case.width) * case.batch}


def _audit(text: str, as_json: bool) -> None:
    """One operator's multiply-adds by every tool, with what each left out."""
    from dataclasses import asdict

    from a2u_bench import operators
    from a2u_bench.case import Case
    from a2u_bench.errors import UsageError
    from a2u_bench.measure.inputs import prepare
    from a2u_bench.measure.tallies import tallies

    operator = operators.operator(text)
    case = Case(operator.name, operator.variant, operator.text, *SHAPE)
    try:
        prepared = prepare(case, 0, {})
    except operators.Impossible as error:
        raise UsageError(f"{operator.text}: {error}") from None
    counted = tallies(prepared.module, prepared.inputs, case)
    if as_json:
        import json

        content = {"options": operator.text, "shape": list(SHAPE), "scale": 2, "tools": [asdict(t) for t in counted]}
        typer.echo(json.dumps(content, indent=2))
        return
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    heads = (
        Heading("tool", "counted by", right=False, whole=True),
        Heading("macs", "MACs"),
        Heading("skipped", "met and not counted", right=False, most=44),
    )
    cells = tuple((tally.tool, _count(tally.macs), tally.failure or _list(tally.skipped)) for tally in counted)
    note = f"for z {'×'.join(map(str, SHAPE))}, scale 2; views and copies are not met"
    print_table(Table(operator.text, heads, cells, (note,)))


def _list(skipped: dict[str, int]) -> str:
    return ", ".join(f"{count}× {name}" if count > 1 else name for name, count in skipped.items())


def _count(value: int | None) -> str:
    from a2u_bench.units import whole

    return "" if value is None else whole(value)


def _word(value: Any) -> str:
    """An option's value as it is typed."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
