"""`check`: is the instrument right, do the numbers of a text stand, and which operators become ONNX models?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from a2u_bench.audit.calibration import Certificate
    from a2u_bench.audit.claims import Checked
    from a2u_bench.run.progress import Listener

CERTIFICATE = Path("results") / "certificate.json"


def command(
    itself: Annotated[bool, typer.Option("--self", help="Measure the instrument itself; takes minutes.")] = False,
    claims: Annotated[Path | None, typer.Option(metavar="FILE", help="A table or a text, as exported or not.")] = None,
    exports: Annotated[bool, typer.Option("--exports", help="Which operators become ONNX models.")] = False,
    ops: Annotated[
        list[str] | None,
        typer.Option("--ops", "--op", help="Operators of --exports. [default: all]"),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="The run of --claims. [default: it names it]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer comparisons with --self.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Of --self. [default: under results/]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
) -> int:
    """Check the instrument, the numbers of a text, or ONNX exports.

    --self: known costs come back right, equal cases differ as rarely as promised, 5 % are found. --claims: in each
    line that names an operator of the run, every number is one that the run has stored. Exit code 1 where anything
    does not hold. --exports: each operator is exported, and ONNX Runtime must agree; `run --onnx` keeps it in a run.
    """
    from a2u_bench.errors import UsageError

    if itself + exports + (claims is not None) != 1:
        raise UsageError("check needs one of --self, --claims FILE and --exports")
    if ops and not exports:
        raise UsageError("--ops belongs to --exports")
    if run is not None and claims is None:
        raise UsageError("--run belongs to --claims FILE")
    if out is not None and not itself:
        raise UsageError("--out belongs to --self")
    if claims is not None:
        return _claims(claims, run, as_json)
    if exports:
        from a2u_bench.cli._onnx import check_exports

        return check_exports(ops or (), as_json)
    return _itself(out or CERTIFICATE, quick, as_json)


def _itself(out: Path, quick: bool, as_json: bool) -> int:
    import json
    import sys
    from contextlib import ExitStack
    from datetime import datetime, timezone

    from a2u_bench.audit import calibration
    from a2u_bench.errors import UsageError
    from a2u_bench.machine import record
    from a2u_bench.run import processes
    from a2u_bench.run.progress import Silence, progress

    if out.is_dir():
        raise UsageError(f"--out {out}: is a folder; allowed: the name of a file")
    created = datetime.now(timezone.utc).isoformat()
    described = record.record(torch=processes.torch_facts)
    with ExitStack() as bars:

        def listen(title: str, cases: int) -> Listener:
            bars.close()
            typer.echo(f"{title}, {cases} cases", err=True)
            return bars.enter_context(progress()) if sys.stderr.isatty() else Silence()

        found = calibration.certify(calibration.QUICK if quick else calibration.FULL, listen)
    content = {"format": "a2u-bench certificate", "version": 1, "created": created, "quick": quick}
    content |= {**found.to_json(), "machine": described}
    text = json.dumps(content, indent=2, allow_nan=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
    else:
        _print(found, described)
    typer.echo(f"stored in {out}", err=True)
    return 0 if found.holds else 1


def _print(found: Certificate, described: dict[str, Any]) -> None:
    from a2u_bench.tables.table import Heading, Table
    from a2u_bench.tables.terminal import print_table

    headings = (
        Heading("name", "what", right=False),
        Heading("demanded", "demanded", right=False),
        Heading("found", "found", right=False),
        Heading("holds", "holds", right=False),
    )
    cells = tuple((one.name, one.demanded, one.found, "yes" if one.holds else "NO") for one in found.findings)
    load = (described.get("now") or {}).get("load")
    busy = f"load {load[0]:.1f}" if load else "load unknown"
    notes = (
        f"{described.get('cpu')}, {described.get('usable_cores')} cores, {busy}; one thread; {found.seconds:.0f} s",
        "the certificate holds" if found.holds else "the certificate does NOT hold",
    )
    print_table(Table("certificate of calibration", headings, cells, notes))


def _claims(file: Path, run: Path | None, as_json: bool) -> int:
    import json

    from a2u_bench.audit.claims import check

    found: Checked = check(file, run)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        for line in found.lines():
            typer.echo(line)
    return 0 if found.holds else 1
