"""Standard output as others set it up: another encoding, none at all, or a place where nothing can be written."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.cli._app import command_names
from a2u_bench.columns import make_row
from a2u_bench.export import formats
from a2u_bench.store.write import Store

ROOT = Path(__file__).resolve().parents[2]
TIMES = {"params": 0, "macs": 4096, "latency": 1e-3, "latency_low": 9e-4, "latency_high": 1.1e-3}


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A run whose tables have letters beyond ASCII and beyond cp1252."""
    with Store.create(tmp_path / "r", {"suite": "quick"}) as store:
        for name in ("nearest", "bilinear"):
            store.append_row(make_row(Case(name, "→ ×2 ±", name, 1, 8, 4, 4), "ok", "", TIMES))
    return str(tmp_path / "r")


def printed(arguments: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bytes on a standard output that is no terminal and has this encoding."""
    raw = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        assert main(arguments) == 0
        sys.stdout.flush()
        return raw.getvalue()


@pytest.mark.parametrize("form", formats())
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "utf-16"])
def test_an_export_is_the_same_file_on_standard_output(
    form: str, encoding: str, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    arguments = ["export", run, "--format", form]
    out = tmp_path / "made" / Path(run).name  # LaTeX's label is the file's name, or else the run's
    out.parent.mkdir()
    assert main([*arguments, "--out", str(out)]) == 0
    file = out.read_bytes()
    assert printed(arguments, encoding, monkeypatch) == file
    assert form not in ("csv", "html", "markdown") or not file.isascii()


@pytest.mark.parametrize(
    "arguments",
    [["compare"], ["recommend", "--budget", "latency=2ms"], ["doctor"], ["ls"], ["show", "a2u"]],
    ids=lambda words: words[0],
)
def test_json_is_the_same_whatever_the_encoding(
    arguments: list[str], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*arguments, *([run] if arguments[0] in ("compare", "recommend", "doctor") else []), "--json"]
    assert printed(command, "ascii", monkeypatch) == printed(command, "utf-8", monkeypatch)


def test_an_export_in_a_terminals_encoding_that_lacks_letters(run: str) -> None:
    command = [sys.executable, "-m", "a2u_bench", "export", run, "--format", "markdown"]
    found = [
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": name})
        for name in ("ascii", "utf-8")
    ]
    assert found[0].stdout == found[1].stdout != b""


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("name", command_names())
def test_a_stream_that_is_closed_stops_no_command(
    name: str, stream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, stream, None)
    assert main([name, "--help"]) == 0
    assert main([name, "--no-such-option"]) == 2
    out, err = capsys.readouterr()
    assert "no-such-option" not in out
    assert err.count("\n") == (0 if stream == "stderr" else 1)


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["show", "nearest"], ["compare"], ["export"], ["recommend", "--budget", "latency=2ms"], ["doctor"]],
    ids=lambda words: words[0],
)
def test_a_table_without_a_standard_output_is_silence(
    arguments: list[str], run: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main([*arguments, *([] if arguments[0] in ("ls", "show") else [run])]) == 0
    assert "Error" not in capsys.readouterr().err


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(os.name != "posix", reason="closes streams as a POSIX shell does")
def test_what_is_written_to_a_closed_stream_reaches_no_file(run: str, tmp_path: Path) -> None:
    file = tmp_path / "table"
    done = shell(f"{sys.executable} -m a2u_bench export {run} --format html --out {file} <&- >&- 2>&-")
    assert done.returncode == 0
    assert file.read_text(encoding="utf-8").startswith("<") and file.read_text(encoding="utf-8").count("<table") >= 1
    done = shell(f"{sys.executable} -m a2u_bench export {run} >&-")
    assert (done.returncode, done.stdout) == (0, "")
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_standard_output_is_an_error_in_one_line(run: str) -> None:
    done = shell(f"{sys.executable} -m a2u_bench compare {run} >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device\n"
