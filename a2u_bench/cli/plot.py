"""`plot`: figures of a run, one paper column wide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from a2u_bench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from a2u_bench.export.plots import Picture


def command(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="pareto, scale, channels, size, runtime, floor, memory. [default: all that the run has rows for]"
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER|FILE", help="A file, such as cost.pdf, for one kind.")] = Path(
        "."
    ),
    form: Annotated[
        list[str] | None, typer.Option("--format", help="png, svg, pdf. [default: --out's ending, else pdf]")
    ] = None,
    conditions: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="CONDITION", help="operator=a2u,carafe; latency<2ms. All must hold."),
    ] = None,
    quality: Annotated[
        str, typer.Option(metavar="TASK", help="Of several: reconstruction, matting, restoration:seg/mix.")
    ] = "",
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    variants: Annotated[
        bool, typer.Option("--variants", help="Draw operators at all their options, not at their defaults alone.")
    ] = False,
    style: Annotated[str, typer.Option(help="column: 85 mm wide; talk: a slide of 16:9.")] = "column",
    settings: Annotated[bool, typer.Option("--settings", help="Say above each figure what was measured.")] = False,
    names: Annotated[str, typer.Option(help="Operators as papers name them, or as they are typed: option.")] = "paper",
    as_json: Annotated[bool, typer.Option("--json", help="Print the files and what they show as JSON.")] = False,
) -> None:
    """Draw the costs of a run as figures.

    Costs against each other, against scale, channels, size or runtime, the speed of light, memory. Each workload is a
    figure of its own. An operator has one colour and marker in all of them. The names of the files are printed.
    """
    import json

    from a2u_bench.cli._table import are_typed, check_convention, known_operators, read_runs
    from a2u_bench.errors import unknown
    from a2u_bench.export.plots import page, pictures, undrawn
    from a2u_bench.export.plots.rows import CALLED
    from a2u_bench.judge.filters import choose_operators, narrow
    from a2u_bench.judge.reading import read
    from a2u_bench.judge.scores import with_quality
    from a2u_bench.sanitize import plain
    from a2u_bench.tables import notes as said
    from a2u_bench.tables.naming import in_papers, typed_names
    from a2u_bench.tables.order import is_unnamed_variant

    check_convention(convention)
    kinds, forms, single = _asked(kind, form, out)
    if style not in page.STYLES:
        raise unknown("style", style, page.STYLES)
    typed, found = are_typed(names), read_runs(runs or [])
    reading = read(found)
    frame, told = with_quality(reading.frame, quality)
    known = known_operators(found)
    kept, notes = narrow(frame, conditions, typed_names(found, known) if conditions else {})
    if not (variants or choose_operators(conditions or ())):
        hidden = is_unnamed_variant(kept, reading)
        kept = kept[~hidden]
        if count := int(hidden.sum()):
            notes = (*notes, f"{count} variant{'s' * (count > 1)} not drawn (--variants)")
    frame = kept
    if not typed:
        frame = frame.assign(**{CALLED: in_papers(frame, known)})

    def draw(kind: str) -> Iterator[Picture]:
        return pictures(frame, kind, forms, convention, reading, style=style, settings=settings)

    drawn, left_out = _drawn(kinds, draw)
    if single and len(drawn) > 1:
        shown = "; ".join(picture.title for picture in drawn[:3])
        raise UsageError(f"--out {out} is one file, but there are {len(drawn)} workloads ({shown}, …); give a folder")
    for note in (*notes, *said.of_reading(reading), *filter(None, [told]), *undrawn(frame), *left_out):
        typer.echo(plain(f"note: {note}"), err=True)
    if not single:
        out.mkdir(parents=True, exist_ok=True)
    written = [(out if single else out / picture.name, picture) for picture in drawn]
    for path, picture in written:
        path.write_bytes(picture.data)
    if as_json:
        typer.echo(json.dumps([{"file": str(path), "shows": picture.title} for path, picture in written], indent=2))
    else:
        typer.echo("\n".join(str(path) for path, _ in written))


def _asked(kind: list[str] | None, form: list[str] | None, out: Path) -> tuple[list[str], list[str], bool]:
    """The kinds, the formats, and whether `out` is one file. UsageError for what does not go together."""
    from a2u_bench.cli._files import check_file
    from a2u_bench.cli._table import listed
    from a2u_bench.errors import unknown
    from a2u_bench.export.plots import FORMATS, KINDS

    kinds, ending = listed(kind), out.suffix.removeprefix(".").lower()
    forms = listed(form) or [ending if ending in FORMATS else "pdf"]
    for what, given, allowed in (("kind", kinds, KINDS), ("format", forms, FORMATS)):
        for name in given:
            if name not in allowed:
                raise unknown(what, name, allowed)
    single = bool(ending) and not out.is_dir()
    if single:
        check_file("--out", out, FORMATS)
    if single and (len(kinds) != 1 or forms != [ending]):
        raise UsageError(f"--out {out} is one file: name one --kind and no other --format, or give a folder")
    if out.exists() and not out.is_dir() and not single:
        raise UsageError(f"--out {out}: is a file; allowed: a folder, or a file that ends in {', '.join(FORMATS)}")
    return kinds, forms, single


def _drawn(kinds: list[str], draw: Callable[[str], Iterator[Picture]]) -> tuple[list[Picture], list[str]]:
    """The pictures, and what was left out of all kinds. UsageError for a kind that was named and cannot be drawn."""
    from a2u_bench.errors import BenchError
    from a2u_bench.export.plots import KINDS, Undrawable

    drawn: list[Picture] = []
    left_out = []
    for name in kinds or KINDS:
        try:
            drawn += draw(name)
        except Undrawable as error:
            if kinds:
                raise UsageError(f"--kind {error}") from None
            left_out.append(f"left out: {error}")
    if not drawn:
        raise BenchError("nothing to draw: no case of this run ended ok with a latency or a memory")
    return drawn, left_out
