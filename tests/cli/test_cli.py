"""The command line as it is typed: exit codes, one line for every error, and what goes to which stream."""

from __future__ import annotations

import atexit
import csv
import gc
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.cli._store import _examining
from a2u_bench.columns import COLUMNS, DERIVED, make_row
from a2u_bench.errors import Unwritten
from a2u_bench.machine import record
from a2u_bench.run import progress, runner
from a2u_bench.run.progress import Silence
from a2u_bench.store.write import Store

ROOT = Path(__file__).resolve().parents[2]
TIMES = {"params": 0, "macs": 4096, "macs_fvcore": 4096, "latency": 1e-3, "latency_low": 9e-4, "latency_high": 1.1e-3}


def make_run(folder: Path, names: tuple[str, ...] = ("nearest", "bilinear")) -> Path:
    with Store.create(folder, {"suite": "quick"}) as store:
        for name in names:
            store.append_row(make_row(Case(name, "default", name, 1, 8, 4, 4), "ok", "", TIMES))
    return folder


def shell(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "a2u_bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)


@pytest.fixture
def fake_machine(monkeypatch):
    """`run` with a runner that measures nothing: each case of the plan that has no row gets one at once."""

    def run(plan, store, listener):
        for case in plan.cases:
            if case.id not in store.finished:
                store.append_row(make_row(case, "ok", "", TIMES))
        for skipped in plan.skipped:
            store.append_row(make_row(skipped.case, "skipped", skipped.reason, {}))
        store.write_manifest({"examining": 4.0, "compiling": 0.05})

    @contextmanager
    def silent(labels=None):
        yield Silence()

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(progress, "progress", silent)
    monkeypatch.setattr(record, "record", lambda **_: {"cpu": "a test"})


def one_line(capsys, *says: str) -> None:
    """Standard error is one line that begins with `error:` and says these words; standard output is empty."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    for word in says:
        assert word in err


WRONG = {
    "an unknown command": (["rnu"], ["'rnu'", "Did you mean 'run'", "compare, "]),
    "operators as words of their own": (["run", "--ops", "nearest", "bilinear"], ["--ops 'nearest bilinear'"]),
    "an unknown option": (["run", "--opz", "all"], ["'--opz'", "Did you mean '--op", "--shape"]),
    "an option without its value": (["run", "--ops"], ["--ops"]),
    "an integer that is none": (["run", "--seed", "x"], ["error: --seed 'x': allowed: an integer\n"]),
    "an integer that is none, after =": (["run", "--seed=1.5"], ["error: --seed '1.5': allowed: an integer\n"]),
    "a number that is none": (["quality", "--learning-rate", "x"], ["error: --learning-rate 'x': allowed: a number\n"]),
    "a duration that is none": (["run", "--time-budget", "5 parsecs"], ["--time-budget '5 parsecs'", "90s", "5min"]),
    "a duration below nothing": (["run", "--timeout", "-1"], ["--timeout '-1'", "90s"]),
    "a duration of nothing": (["run", "--timeout", "0s"], ["timeout 0", "from 0.001"]),
    "a share that is none": (["run", "--target-ci", "5%%"], ["--target-ci '5%%'", "2%"]),
    "a share of more than all": (["run", "--target-ci", "2"], ["--target-ci '2'", "not below 1", "2%"]),
    "a percentage of all": (["run", "--target-ci", "100%"], ["--target-ci '100%'", "not below 1"]),
    "an unknown operator": (["run", "--ops", "bilinaer"], ["bilinaer", "bilinear"]),
    "an unknown operator's option": (["run", "--ops", "nearest:rank=2"], ["rank"]),
    "an unknown suite": (["run", "--suite", "quik"], ["quik", "quick"]),
    "a bad shape": (["run", "--ops", "nearest", "--shape", "1x2x3"], ["1x2x3", "BxCxHxW"]),
    "a shape with a zero": (["run", "--ops", "nearest", "--shape", "1x0x4x4"], ["1x0x4x4", "Allowed"]),
    "an unknown dtype": (["run", "--ops", "nearest", "--dtype", "float23"], ["float23", "float32"]),
    "an unknown layout": (["run", "--ops", "nearest", "--layout", "chanels_last"], ["channels_last"]),
    "an unknown mode": (["run", "--ops", "nearest", "--mode", "train"], ["train", "training"]),
    "an unknown runtime": (["run", "--ops", "nearest", "--runtime", "jit"], ["jit", "eager"]),
    "an unknown device": (["run", "--ops", "nearest", "--device", "cdua"], ["cdua", "cuda"]),
    "scale 0": (["run", "--ops", "nearest", "--scale", "0"], ["0", "Allowed"]),
    "an unknown convention": (["run", "--convention", "macs"], ["macs", "mac, flop"]),
    "a resume of nothing": (["run", "--ops", "nearest", "--resume"], ["--resume", "--out"]),
    "an unknown format": (["export", "--format", "xlsx"], ["xlsx", "csv"]),
    "a missing run": (["compare", "no/such/run"], ["no/such/run", "no such folder"]),
    "a run with a NUL": (["compare", "a\0b"], ["null byte"]),
    "no operator to show": (["show"], ["OP"]),
    "an operator to show that is none": (["show", "nearst"], ["nearst", "nearest"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_line_and_exit_code_2(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, says = WRONG[name]
    assert main(arguments) == 2
    one_line(capsys, *says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["compare", "export"])
def test_a_folder_with_nothing_readable_is_wrong_usage(command, capsys, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"\x00\xff\n{}\n")
    assert main([command, str(tmp_path)]) == 2
    one_line(capsys, "nothing readable", str(tmp_path))
    (tmp_path / "rows.jsonl").rename(tmp_path / "notes.txt")
    assert main([command, str(tmp_path)]) == 2
    one_line(capsys, "not a run")


@pytest.mark.parametrize("command", ["compare", "export"])
def test_without_any_run_there_is_advice(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([command]) == 2
    one_line(capsys, "a2u-bench run --ops all")


@pytest.mark.parametrize(
    "command", ["compare", "compare --json", "export --format html", "plot", "report", "recommend"]
)
def test_a_selection_of_nothing_is_wrong_usage(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    budget = ["--budget", "latency=1s"] if command == "recommend" else []
    asked = [*command.split(), str(make_run(tmp_path / "r")), "--filter", "latency<0ms", *budget]
    assert main(asked) == 2
    one_line(capsys, "no row is left: ", "0 of 2 rows kept by --filter latency<0ms")
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_an_unknown_baseline_or_column_is_wrong_usage(capsys, tmp_path):
    make_run(tmp_path / "r")
    for flags, word in (
        (["--baseline", "bilinaer"], "bilinear"),
        (["--sort", "latncy"], "latency"),
        (["--columns", "x"], "x"),
    ):
        assert main(["compare", str(tmp_path / "r"), *flags]) == 2
        one_line(capsys, word)


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["compare", "--columns", "latncy"], "Did you mean 'latency'? Allowed: latency, "),
        (["compare", "--filter", "operatr=a2u"], "Did you mean 'operator'? Allowed: operator"),
        (["compare", "--sort", "qqq"], "Allowed: operator, options, "),
        (["compare", "--fail-if", "latncy>5%"], "Did you mean 'latency'? Allowed: latency"),
        (["recommend", "--budget", "latncy=2ms"], "Did you mean 'latency'? Allowed: latency"),
    ],
)
def test_an_unknown_column_is_answered_with_those_near_it_and_where_all_stand(arguments, near, capsys, tmp_path):
    make_run(tmp_path / "r")
    assert main([*arguments, str(tmp_path / "r")]) == 2
    err = capsys.readouterr().err
    assert near in err
    assert len(err) < 320
    assert "`a2u-bench export --columns all` has every stored column" in err


def test_the_newest_run_is_compared_and_exported_when_none_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "results" / "first", ("nearest",))
    make_run(tmp_path / "results" / "second", ("bilinear",))
    assert main(["compare"]) == 0
    out, err = capsys.readouterr()
    assert "bilinear" in out
    assert "nearest" not in out
    assert err == f"reading {Path('results/second')}\n"
    assert main(["export", "--format", "csv"]) == 0
    assert [row["operator"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["bilinear"]


READ = {
    "compare": (),
    "export": (),
    "plot": ("--kind", "memory"),
    "recommend": ("--budget", "latency=1s"),
    "report": (),
    "doctor": (),
    "merge": ("results/other", "--out", "merged"),
}


@pytest.mark.parametrize("command", READ)
def test_a_run_is_known_by_its_name_under_results_too(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([command, "mine", *READ[command]]) == 2
    one_line(capsys, "'mine': no such folder, and no results/mine; allowed: ")
    make_run(Path("results/other"))
    make_run(Path("results/mine"), ("carafe", "bilinear"))
    (tmp_path / "mine").touch()  # a file is no run
    read = []
    monkeypatch.setattr("a2u_bench.store.read._must_be_folder", lambda folder: read.append(str(folder)))
    main([command, "mine", *READ[command]])
    assert read[0] == "results/mine"
    capsys.readouterr()
    read.clear()
    shutil.rmtree("merged", ignore_errors=True)
    (tmp_path / "mine").unlink()
    make_run(Path("mine"))
    main([command, "mine", *READ[command]])
    assert read[0] == "mine"


def test_a_run_that_is_named_in_two_ways_is_one(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(Path("results/mine"))
    assert main(["compare", "mine", "results/mine"]) == 0
    assert "results/mine: named 2 times" in capsys.readouterr().err


def test_export_has_the_names_of_the_schema_and_goes_to_a_file_when_asked(capsys, tmp_path):
    make_run(tmp_path / "r")
    assert main(["export", str(tmp_path / "r"), "--columns", "all"]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == ",".join(column.name for column in (*COLUMNS, *DERIVED[-4:]))
    assert main(["export", str(tmp_path / "r"), "--columns", "all", "--out", str(tmp_path / "r.csv")]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "r.csv").read_bytes() == text.encode()


def test_what_was_left_out_is_said_on_standard_error(capsys, tmp_path):
    make_run(tmp_path / "r")
    with (tmp_path / "r" / "rows.jsonl").open("a") as file:
        file.write('{"case": "torn')
    assert main(["export", str(tmp_path / "r")]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert "the last line is torn, left out" in err


def test_compare_prints_json_in_si_units(capsys, tmp_path):
    make_run(tmp_path / "r")
    assert main(["compare", str(tmp_path / "r"), "--json", "--baseline", "nearest"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rows"][0]["latency"] == 1e-3
    assert content["rows"][0]["saved_memory"] is None
    assert content["rows"][1]["verdict"] == "inconclusive"


def test_run_stores_and_prints_the_same_table_as_compare(fake_machine, capsys, tmp_path):
    folder = tmp_path / "r"
    assert main(["run", "--ops", "nearest,bilinear", "--shape", "1×8×4×4", "--out", str(folder)]) == 0
    printed, err = capsys.readouterr()
    assert err == f"stored in {folder}; before timing: checking and counting 4.0 s\n"
    assert main(["compare", str(folder)]) == 0
    assert capsys.readouterr().out == printed
    assert json.loads((folder / "manifest.json").read_text())["machine"] == {"cpu": "a test"}


def test_a_run_tells_kernels_that_it_compiled_apart_from_what_it_checked():
    assert _examining({"examining": 4.0, "compiling": 32.0}) == (
        "; before timing: checking and counting 4.0 s, compiling 32.0 s (later runs find the kernels compiled)"
    )
    assert _examining({"examining": 4.0, "compiling": "long"}).endswith("checking and counting 4.0 s")
    assert _examining({}) == ""


def test_values_repeated_or_joined_by_commas_are_an_axis(fake_machine, capsys, tmp_path):
    flags = ["--dtype", "float32,float64", "--dtype", "bfloat16", "--scale", "2", "--scale", "3"]
    assert (
        main(["run", "--ops", "nearest", *flags, "--shape", "1x8x4x4,1x8x5x5", "--out", str(tmp_path), "--json"]) == 0
    )
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 2 * 12  # with the reference of each


def test_a_new_folder_under_results_is_the_default(fake_machine, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["run", "--ops", "nearest"]) == 0
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_a_folder_that_is_not_empty_needs_resume(fake_machine, capsys, tmp_path):
    flags = ["--shape", "1x8x4x4", "--out", str(tmp_path / "r")]
    assert main(["run", "--ops", "nearest", *flags, "--resume"]) == 0
    capsys.readouterr()
    assert main(["run", "--ops", "bilinear", *flags]) == 2
    one_line(capsys, "--resume")
    assert main(["run", "--ops", "nearest,bilinear", *flags, "--resume"]) == 0
    assert len((tmp_path / "r" / "rows.jsonl").read_text().splitlines()) == 2


def test_strict_exits_5_when_a_case_does_not_end_ok(fake_machine, capsys, tmp_path, monkeypatch):
    def fails(plan, store, listener):
        store.append_row(make_row(plan.cases[0], "failed", "RuntimeError: boom", {}))

    flags = ["run", "--ops", "nearest", "--out"]
    assert main([*flags, str(tmp_path / "good"), "--strict"]) == 0
    monkeypatch.setattr(runner, "run", fails)
    assert main([*flags, str(tmp_path / "strict"), "--strict"]) == 5
    assert "failed: nearest – RuntimeError: boom" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ends", "code"),
    [(("ok", "failed"), 0), (("failed", "timeout"), 1), (("incorrect", "incorrect"), 1), ((), 1)],
)
def test_a_run_in_which_no_case_ended_ok_is_an_error(fake_machine, ends, code, capsys, tmp_path, monkeypatch):
    def fails(plan, store, listener):
        for case, status in zip(plan.cases, ends, strict=False):
            store.append_row(make_row(case, status, "boom", {}))

    monkeypatch.setattr(runner, "run", fails)
    assert main(["run", "--ops", "nearest,bilinear", "--out", str(tmp_path / "r")]) == code
    out, err = capsys.readouterr()
    assert ("error: not one case ended ok" in err) == (code == 1)
    assert ("boom" in out) == bool(ends)
    for status in ends if code else ():
        assert f"{ends.count(status)} {status}" in err


def test_an_interrupted_run_keeps_and_prints_what_is_finished(fake_machine, capsys, tmp_path, monkeypatch):
    def interrupted(plan, store, listener):
        store.append_row(make_row(plan.cases[0], "ok", "", TIMES))
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    assert main(["run", "--ops", "nearest,bilinear", "--out", str(tmp_path / "r")]) == 130
    out, err = capsys.readouterr()
    assert "nearest" in out
    assert err.startswith(f"interrupted; 1 row is kept in {tmp_path / 'r'}; the same command with --out ")
    assert "--resume" in err
    assert "Traceback" not in err
    assert len((tmp_path / "r" / "rows.jsonl").read_text().splitlines()) == 1


def test_a_run_that_is_asked_for_more_when_it_goes_on_is_not_whole_until_then(
    fake_machine, capsys, tmp_path, monkeypatch
):
    flags = ["--shape", "1x8x4x4", "--out", str(tmp_path / "r")]
    gate = ["compare", str(tmp_path / "r"), "--fail-if", "latency>2ms", "--strict"]
    assert main(["run", "--ops", "nearest", *flags]) == 0
    assert main(gate) == 0

    def interrupted(plan, store, listener):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    assert main(["run", "--ops", "nearest,bicubic", *flags, "--resume"]) == 130
    assert main(gate) == 4
    assert "2 of 3 planned cases have ended" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "r"), "--strict"]) == 4  # with or without a gate
    assert main(["compare", str(tmp_path / "r")]) == 0


def test_durations_and_shares_are_taken_as_a_person_writes_them(fake_machine, tmp_path):
    given = {"--time-budget": ("1.5min", 90), "--timeout": ("500ms", 0.5), "--target-ci": ("5%", 0.05)}
    flags = [word for flag, (text, _) in given.items() for word in (flag, text)]
    assert main(["run", "--ops", "nearest", *flags, "--out", str(tmp_path / "r")]) == 0
    settings = json.loads((tmp_path / "r" / "manifest.json").read_text())["settings"]
    assert [settings[flag[2:].replace("-", "_")] for flag in given] == [value for _, value in given.values()]


def test_a_run_that_had_no_time_for_a_case_is_not_whole_until_it_went_on(fake_machine, capsys, tmp_path, monkeypatch):
    measures = runner.run

    def late(plan, store, listener):
        store.append_row(make_row(plan.cases[0], "ok", "", TIMES))
        store.append_row(make_row(plan.cases[1], "timeout", "the time of the run was over", {"stopped": "budget"}))

    monkeypatch.setattr(runner, "run", late)
    run = ["run", "--ops", "nearest,bilinear", "--shape", "1x8x4x4", "--threads", "1", "--out", str(tmp_path / "r")]
    gate = ["compare", str(tmp_path / "r"), "--fail-if", "latency>2ms", "--strict"]
    assert main([*run, "--time-budget", "2"]) == 0
    assert main(gate) == 4
    assert "1 of 2 planned cases have ended; --resume of `a2u-bench run` goes on with it" in capsys.readouterr().err
    assert main([*run, "--resume", "--dry-run"]) == 0
    assert "1 case to measure" in capsys.readouterr().out
    monkeypatch.setattr(runner, "run", measures)
    assert main([*run, "--time-budget", "60", "--resume"]) == 0
    assert capsys.readouterr().out.count("\nbilinear ") == 1
    assert main(gate) == 0
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["settings"]["time_budget"] == 60
    assert [one["time_budget"] for one in manifest["earlier_settings"]] == [2]
    assert main([*run, "--time-budget", "70", "--resume"]) == 0  # nothing is left that it would be the budget of
    assert json.loads((tmp_path / "r" / "manifest.json").read_text()) == manifest | {
        "examining": 4.0,
        "compiling": 0.05,
    }


@pytest.mark.parametrize(("samples", "kept"), [(0, "no result was there to keep"), (1, "every whole round of samples")])
def test_an_interrupted_run_does_not_claim_what_it_has_not(fake_machine, samples, kept, capsys, tmp_path, monkeypatch):
    def interrupted(plan, store, listener):
        store.append_samples([{"case": "x", "process": 0, "round": 0, "latency": [1.0]}] * samples)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupted)
    assert main(["run", "--ops", "nearest", "--out", str(tmp_path / "r")]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"interrupted; {kept}")
    assert " row" not in err


def test_a_full_disk_is_an_error_and_what_was_measured_is_printed(fake_machine, capsys, tmp_path, monkeypatch):
    def full(plan, store, listener):
        store.append_row(make_row(plan.cases[0], "ok", "", TIMES))
        rows = [make_row(case, "ok", "", TIMES) for case in plan.cases]
        raise Unwritten("cannot write results: No space left on device", rows)

    monkeypatch.setattr(runner, "run", full)
    assert main(["run", "--ops", "nearest,bilinear", "--out", str(tmp_path / "r")]) == 1
    out, err = capsys.readouterr()
    assert out.count("\nnearest ") == 1
    assert out.count("\nbilinear ") == 1
    assert err == "error: cannot write results: No space left on device\n"


def test_a_place_that_cannot_be_written_is_an_error(fake_machine, capsys):
    assert main(["run", "--ops", "nearest", "--out", "/proc/nowhere/r"]) == 1
    one_line(capsys, "/proc/nowhere")


def test_an_error_nobody_expected_is_one_line_and_a_traceback_only_on_request(
    fake_machine, capsys, tmp_path, monkeypatch
):
    def broken(plan, store, listener):
        raise ZeroDivisionError("first line\nsecond \x1b[31mline")

    monkeypatch.setattr(runner, "run", broken)
    assert main(["run", "--ops", "nearest", "--out", str(tmp_path / "a")]) == 1
    one_line(capsys, "ZeroDivisionError: first line second line", "A2U_BENCH_DEBUG=1")
    monkeypatch.setenv("A2U_BENCH_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["run", "--ops", "nearest", "--out", str(tmp_path / "b")])


def test_ls_and_show_print_every_operator(capsys):
    from a2u_bench import operators

    assert main(["ls", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(operators.names())
    assert main(["ls"]) == 0
    table = capsys.readouterr().out
    for entry in listed:
        assert entry["name"] in table
        assert str(entry["year"]) in table
        assert main(["show", entry["name"]]) == 0
        assert entry["title"] in capsys.readouterr().out
        assert main(["show", entry["name"], "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert len(shown["variants"]) >= entry["variants"] > 0


def test_the_audit_of_an_operator_names_what_each_tool_left_out(capsys):
    assert main(["show", "carafe", "--audit"]) == 0
    shown = capsys.readouterr().out
    assert "upsamplers::reassemble" in shown
    assert max(len(line) for line in shown.splitlines()) <= 90
    assert main(["show", "carafe", "--audit", "--json"]) == 0
    tools = {tool["tool"]: tool for tool in json.loads(capsys.readouterr().out)["tools"]}
    assert tools["formula"]["macs"] == tools["fvcore, our handles"]["macs"] == tools["torch, our formulas"]["macs"]
    skipped = tools["fvcore as installed"]["skipped"]
    assert (skipped["aten::softmax"], skipped["upsamplers::reassemble"]) == (1, 1)


def test_the_doctor_grades_this_machine_or_that_of_a_run(fake_machine, capsys, tmp_path, monkeypatch):
    battery = {"cpu": "a test", "usable_cores": 2, "now": {"load": [0.0], "on_battery": True}}
    monkeypatch.setattr(record, "record", lambda **_: battery)
    assert main(["doctor"]) == 0
    assert "plug it in" in capsys.readouterr().out
    assert main(["run", "--ops", "nearest", "--out", str(tmp_path / "r")]) == 0
    assert "grade D: runs on its battery; more: compare --notes full" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "r"), "--notes", "full"]) == 0
    shown = capsys.readouterr().out
    assert "environment: grade D, small differences may be the machine's (runs on its battery)" in shown
    assert json.loads((tmp_path / "r" / "manifest.json").read_text())["doctor"]["grade"] == "D"
    assert main(["doctor", str(tmp_path / "r"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["grade"], report["findings"][0]["name"]) == ("D", "battery")
    assert main(["doctor", str(tmp_path / "nothing")]) == 2


def test_whether_operators_rank_alike_along_an_axis_is_said_and_shown(capsys, tmp_path):
    with Store.create(tmp_path / "r", {"suite": "quick"}) as store:
        for dtype, order in (("float32", (1, 2, 3)), ("float64", (2, 1, 3))):
            for name, seconds in zip(("nearest", "bilinear", "bicubic"), order, strict=True):
                times = {"latency": seconds, "latency_low": 0.99 * seconds, "latency_high": 1.01 * seconds}
                store.append_row(make_row(Case(name, "default", name, 1, 8, 4, 4, dtype=dtype), "ok", "", times))
    assert main(["compare", str(tmp_path / "r"), "--ranking", "dtype"]) == 0
    assert "float32 to float64" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "r"), "--ranking", "dtype", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["swaps"] == [["nearest", "bilinear"]]
    assert main(["compare", str(tmp_path / "r"), "--ranking", "dtype", "--fail-if", "latency>500ms"]) == 3
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "r"), "--ranking", "threads"]) == 2
    one_line(capsys, "--ranking threads", "Axes here: dtype")
    assert main(["compare", str(tmp_path / "r"), "--ranking", "dtpe"]) == 2
    one_line(capsys, "dtpe", "'dtype'")


def test_the_share_of_the_floor_that_a_latency_reaches_is_a_column_to_ask_for(capsys, tmp_path):
    with Store.create(tmp_path / "r", {"suite": "quick"}) as store:
        for name, seconds in (("nearest", 2e-3), ("bilinear", 4e-3)):
            measures = {"latency": seconds, "floor": 1e-3}
            store.append_row(make_row(Case(name, "default", name, 1, 8, 4, 4), "ok", "", measures))
    assert (
        main(["compare", str(tmp_path / "r"), "--columns", "latency,floor,floor_share", "--sort", "floor_share"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert "of light speed" in lines[1]
    assert [line.split()[0] for line in lines[4:6]] == ["bilinear", "nearest"]
    assert [line.split()[-1] for line in lines[4:6]] == ["0.250", "0.500"]
    assert lines[-1].startswith("speed of light: the longer of moving")


def test_help_is_on_standard_output_and_needs_no_command(capsys):
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert "compare" in alone


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_that_stops_early_is_no_error(reader, tmp_path):
    make_run(tmp_path / "r")
    line = (tmp_path / "r" / "rows.jsonl").read_text()
    (tmp_path / "r" / "rows.jsonl").write_text(line * 1000)
    command = f"{sys.executable} -m a2u_bench export {tmp_path / 'r'} | {reader}"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert "error" not in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    make_run(tmp_path / "r")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "a2u_bench", "export", str(tmp_path / "r")]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: No space left on device"
    assert "Traceback" not in done.stderr


def test_no_colour_when_not_a_terminal_and_no_failure_where_a_sign_is_missing(tmp_path):
    make_run(tmp_path / "r")
    done = shell("compare", str(tmp_path / "r"), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "1.00 ?0.10" in done.stdout


@pytest.mark.parametrize(
    ("typed", "called", "left_lying"),
    [
        (["compare", "/nowhere"], None, True),
        (["run", "--help"], None, False),
        (["--version"], None, False),
        (["compare", "/nowhere"], ["compare", "/nowhere"], False),
        (["compare", "/nowhere"], [], False),
    ],
)
def test_garbage_is_left_lying_only_in_a_process_of_our_own_that_soon_ends(monkeypatch, typed, called, left_lying):
    switched_off = []
    monkeypatch.setattr(gc, "disable", lambda: switched_off.append(True))
    monkeypatch.setattr(atexit, "register", lambda function: switched_off.append(function))
    monkeypatch.setattr(sys, "argv", ["a2u-bench", *typed])
    main(called)
    assert bool(switched_off) == left_lying


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("t.tex", "% needs"),
        ("t.md", "**"),
        ("t.html", "<!DOCTYPE"),
        ("t.json", "{"),
        ("t.csv", "case,"),
        ("t", "case,"),
    ],
)
def test_an_export_takes_its_format_from_the_name_of_its_file(name, begins, tmp_path):
    assert main(["export", str(ROOT / "tests/golden/runs/example"), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_an_ending_that_is_no_format_is_said_before_anything_is_written(tmp_path, capsys):
    assert main(["export", str(ROOT / "tests/golden/runs/example"), "--out", str(tmp_path / "t.xlsx")]) == 2
    assert "ends in .csv, .html, .json, " in capsys.readouterr().err
    assert not (tmp_path / "t.xlsx").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "--out", "gone/table.csv"],
        ["export", "--out", "table.tex", "--bib", "gone/table.bib"],
        ["report", "--out", "gone/report.html"],
        ["plot", "--kind", "pareto", "--out", "gone/plot.pdf"],
        ["kernels", "--out", "gone/kernels.png"],
    ],
    ids=" ".join,
)
def test_a_file_in_a_folder_that_is_not_there_is_one_line_of_wrong_usage(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = [] if arguments[0] == "kernels" else [str(ROOT / "tests/golden/runs/example")]
    assert main([arguments[0], *run, *arguments[1:]]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "there is no folder gone; allowed: a file in a folder that is there" in err
    assert not out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "--out", "p.foo"], "--out p.foo: allowed: the name of a file that ends in ."),
        (["recommend", "--budget", "latency<5%"], "'5%' is no"),
        (["recommend", "--budget", "latency<5"], "no unit. Allowed: a number with its unit, such as latency<5ms"),
        (
            ["recommend", "--budget", "latency<1s", "--quality", "psnr"],
            "no training is in what was read; name a run of",
        ),
        (["export", "--sep", "-"], "allowed: one character that stands in no number, word or quote"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_a_refusal_says_what_is_allowed(arguments, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = str(ROOT / "tests/golden/runs/example")
    keep = ["--filter", "shape=1x64x32x32"] if arguments[0] == "recommend" else []
    assert main([arguments[0], run, *arguments[1:], *keep]) == 2
    assert said in capsys.readouterr().err


def test_ratios_are_explained_only_where_they_stand(capsys):
    run = str(ROOT / "tests/golden/runs/example")
    for flags, there in (([], True), (["--by", "operator,shape"], False), (["--columns", "latency"], False)):
        assert main(["compare", run, *flags]) == 0
        assert ("ratio: to " in capsys.readouterr().out) == there
