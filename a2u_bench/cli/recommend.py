"""`recommend`: the upsampler to use within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from a2u_bench.judge.budget import Limit
    from a2u_bench.judge.recommend import Advice
    from a2u_bench.tables.table import Table

Many = list[str]


def command(
    budget: Annotated[
        Many, typer.Option(metavar="LIMITS", help="latency=2ms,memory=64MB: at most; psnr=25dB: at least. Any measure.")
    ],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUN]...", help="[default: the newest]")] = None,
    shape: Annotated[str | None, typer.Option(metavar="BxCxHxW", help="Shape of z, where the run has several.")] = None,
    scale: Annotated[str | None, typer.Option(help="Upsampling factor, where the run has several.")] = None,
    mode: Annotated[str | None, typer.Option(help="inference or training, where the run has both.")] = None,
    runtime: Annotated[
        str | None, typer.Option(help="eager, compile, onnxruntime or openvino, where the run has several.")
    ] = None,
    conditions: Annotated[
        Many | None,
        typer.Option("--filter", metavar="CONDITION", help="dtype=float32; device=cpu. All must hold."),
    ] = None,
    quality: Annotated[
        str, typer.Option(metavar="TASK", help="Of several: reconstruction, matting, restoration:seg/mix.")
    ] = "",
    convention: Annotated[str, typer.Option(help="mac, or flop: two for each multiply-add.")] = "mac",
    variants: Annotated[
        bool, typer.Option("--variants", help="Count in operators at other options than their defaults.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="A table of everything that fits, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in SI units instead of the text.")] = False,
) -> int:
    """Say which operator to use within a budget, and why.

    At most five alternatives follow, with what each gains and costs. Quality decides where a run of
    `a2u-bench quality` is named as well. Exit code 3 when nothing fits.
    """
    from a2u_bench.cli._table import check_convention, known_operators, read_runs
    from a2u_bench.columns import RUN
    from a2u_bench.errors import UsageError
    from a2u_bench.judge import recommend
    from a2u_bench.judge.budget import read_budget
    from a2u_bench.judge.filters import narrow
    from a2u_bench.judge.reading import read as read_all
    from a2u_bench.judge.scores import with_quality
    from a2u_bench.machine.differences import differences
    from a2u_bench.tables import answer
    from a2u_bench.tables import notes as said
    from a2u_bench.tables.naming import in_papers, typed_names
    from a2u_bench.tables.order import is_unnamed_variant

    check_convention(convention)
    limits = read_budget(budget)
    read = read_runs(runs or [])
    reading = read_all(read)
    frame, told = with_quality(reading.frame, quality)
    frame = recommend.with_exports(frame)  # before rows of other runtimes are left out
    asked = {"shape": shape, "scale": scale, "mode": mode, "runtime": runtime}
    texts = [f"{axis}={value}" for axis, value in asked.items() if value is not None]
    known = known_operators(read)
    frame, left = narrow(frame, [*texts, *(conditions or ())], typed_names(read, known) if conditions else {})
    for axis in (*recommend.FLAGS, "dtype", "layout", "runtime", "device", "threads"):
        recommend.must_agree(frame, axis)
    if frame.empty:
        raise UsageError("no costs in what was read; name a run that `a2u-bench run` made")
    if RUN in frame and frame[RUN].nunique() == 1:
        frame = frame.drop(columns=RUN)
    frame = frame.assign(**{answer.CALLED: in_papers(frame, known)})
    advice = recommend.advise(frame, limits, reading, None if variants else is_unnamed_variant(frame, reading))
    measured = [run.manifest for run in read if any(row["task"] is None for row in run.rows)]
    notes = [*answer.notes(advice, everything), *filter(None, [told]), *left[:1], *said.of_reading(reading)]
    notes += [f"the runs are of machines that differ: {text}" for text in differences(measured)]
    if as_json:
        _print_json(advice, limits, answer.answer(advice, limits, convention), notes, everything)
    else:
        _print(advice, limits, notes, convention, everything)
    return 3 if advice.use is None else 0


def _print(advice: Advice, limits: Sequence[Limit], notes: list[str], convention: str, everything: bool) -> None:
    from a2u_bench.tables import answer
    from a2u_bench.tables.terminal import print_lines, print_table

    print_lines([answer.answer(advice, limits, convention)])
    if advice.alternatives:
        print_lines([""])
        print_table(answer.alternatives(advice, convention))
    if everything and len(advice.rows):
        print_lines([""])
        print_table(_table(advice.rows, limits, convention))
    print_lines(["", *notes])


def _table(rows: pd.DataFrame, limits: Sequence[Limit], convention: str) -> Table:
    """Everything that fits with its costs."""
    from a2u_bench.columns import RANKED, RATIO
    from a2u_bench.judge.recommend import FITS, FRONT
    from a2u_bench.tables.answer import CALLED
    from a2u_bench.tables.layout import lay_out

    columns = ["latency", RATIO, "peak_memory", "params", "macs", *(limit.name for limit in limits), *RANKED]
    columns += ["onnx", "compiles", FITS, FRONT]
    known = [name for name in dict.fromkeys(columns) if name in rows and rows[name].notna().any()]
    shown = rows.assign(
        options=rows[CALLED], **{FRONT: rows[FRONT].map({True: "yes", False: "beaten"}).astype("string")}
    )
    return lay_out(shown, known, (), convention, ())


def _print_json(advice: Advice, limits: Sequence[Limit], sentence: str, notes: list[str], everything: bool) -> None:
    import json
    from dataclasses import asdict

    from a2u_bench.judge.recommend import FRONT
    from a2u_bench.store.frames import to_records
    from a2u_bench.tables.answer import CALLED

    options = advice.rows["options"].tolist()
    rows = advice.rows if everything else advice.rows[advice.rows[FRONT].astype(bool)]
    found = {
        "budget": {limit.name: limit.value for limit in limits},
        "use": None if advice.use is None else options[advice.use],
        "answer": sentence,
        "alternatives": [
            {
                "options": options[one.place],
                **{side: [_finite(asdict(part)) for part in getattr(one, side)] for side in ("gains", "costs")},
            }
            for one in advice.alternatives
        ],
        "rows": to_records(rows.drop(columns=CALLED).reset_index(drop=True)),
        "notes": notes,
    }
    typer.echo(json.dumps(found, indent=2, allow_nan=False))


def _finite(part: dict[str, Any]) -> dict[str, Any]:
    """The same with None for an end of an interval that is not known."""
    import math

    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in part.items()
    }
