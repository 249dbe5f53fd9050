"""Two runs compared: what changed, what only one has, and gates that fail on what certainly got worse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.judge import gates
from a2u_bench.store.read import Run
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make


def row(options: str, latency: float | None = 1e-3, half: float | None = 0.005, **more: Any) -> dict[str, Any]:
    case = Case(options.partition(":")[0], options, options, 1, 8, 4, 4)
    if latency is None:
        return make_row(case, "failed", "boom", more)
    ends = {} if half is None else {"latency_low": latency * (1 - half), "latency_high": latency * (1 + half)}
    return make_row(case, "ok", "", {"latency": latency, "processes": 6, **ends, **more})


def run(name: str, *rows: Mapping[str, Any], cpu: str = "A") -> Run:
    return Run(Path(name), {"machine": {"cpu": cpu}}, tuple(dict(one) for one in rows), ())


def judged(before: Run, after: Run, *limits: str) -> list[tuple[int, int, int]]:
    outcomes = make([before, after], Request(fail_if=limits)).outcomes
    return [(len(one.failed), len(one.unclear), one.passed) for one in outcomes]


def test_two_runs_are_shown_as_before_and_after():
    before = run("one", row("a", 1e-3), row("b", 2e-3), row("c"), row("gone"))
    after = run("two", row("b", 3e-3), row("a", 1e-3), row("c", None), row("new"))
    (table,) = make([before, after], Request()).tables()
    assert [heading.text for heading in table.headings] == [
        "operator",
        "latency before [ms]",
        "latency after [ms]",
        "after/before",
        "verdict",
    ]
    assert [(cells[0], *cells[3:]) for cells in table.cells] == [
        ("a", "1.000 ±0.006", "same"),
        ("b", "1.500 ±0.009", "slower"),
        ("c", "", "after: failed"),
    ]
    assert table.notes == (
        "before: one, after: two",
        "the runs share no reference operator: changes are of latencies, so that the machine's own change is in them",
        "1 case only in one, not compared: gone",
        "1 case only in two, not compared: new",
        "no samples of every case: the intervals are those of the rows",
        "no ratio: bilinear was not timed, since the run names no reference; --baseline OP chooses another operator",
    )


def test_what_is_counted_is_shown_where_it_changed():
    before = run("one", row("a", params=1, macs=4, peak_memory=10))
    after = run("two", row("a", params=2, macs=4, peak_memory=5))
    (table,) = make([before, after], Request()).tables()
    shown = dict(zip([heading.name for heading in table.headings], table.cells[0], strict=True))
    assert (shown["params ratio"], shown["params verdict"]) == ("2.00", "more")
    assert (shown["peak_memory ratio"], shown["peak_memory verdict"]) == ("0.500", "less")
    assert "macs ratio" not in shown
    (table,) = make([before, after], Request(columns=("macs",))).tables()
    assert table.cells == (("a", "4", "4", "1.00", "same"),)


def test_runs_without_a_common_case_stand_side_by_side():
    (table,) = make([run("one", row("a")), run("two", row("b"))], Request()).tables()
    assert [cells[:2] for cells in table.cells] == [("a", "one"), ("b", "two")]
    said = "the two runs have no case in common: operator is a before and b after; each stands on its own"
    assert said in table.notes


def test_keys_and_baselines_choose_another_view_of_two_runs():
    runs = [run("one", row("a"), row("b")), run("two", row("a"), row("b"))]
    (grid,) = make(runs, Request(by=("operator", "run"))).tables()
    assert [heading.label for heading in grid.headings] == ["operator", "one", "two"]
    (ratios,) = make(runs, Request(baseline="a")).tables()
    assert len(ratios.cells) == 4


def test_machines_that_differ_are_named_and_their_times_not_judged():
    before = run("one", row("a", 1e-3, peak_memory=1), cpu="A")
    after = run("two", row("a", 9e-3, peak_memory=2), cpu="B")
    view = make([before, after], Request(fail_if=("latency>5%", "peak_memory>5%")))
    assert "the runs are of machines that differ: cpu: A / B" in view.notes
    assert [(one.failed != (), one.unclear != ()) for one in view.outcomes] == [(False, True), (True, False)]
    assert "the machines differ" in view.outcomes[0].unclear[0]


@pytest.mark.parametrize(
    ("latency", "half", "outcome"),
    [
        (1.00e-3, 0.005, (0, 0, 1)),
        (1.03e-3, 0.005, (0, 0, 1)),
        (1.05e-3, 0.005, (0, 1, 0)),
        (1.10e-3, 0.005, (1, 0, 0)),
        (1.10e-3, 0.100, (0, 1, 0)),
        (0.50e-3, 0.005, (0, 0, 1)),
        (2.00e-3, None, (0, 1, 0)),
        (None, None, (0, 1, 0)),
    ],
)
def test_a_gate_fails_on_what_surely_got_slower_by_more(latency, half, outcome):
    assert judged(run("one", row("a")), run("two", row("a", latency, half)), "latency>5%") == [outcome]


def test_a_gate_corrects_for_how_many_cases_it_judges():
    """A slow-down that one case alone would fail for is no news among five hundred."""
    before = [row("a", half=0.02)] + [row(f"b{number}", half=0.02) for number in range(500)]
    after = [row("a", 1.09e-3, 0.02), *before[1:]]
    assert judged(run("one", before[0]), run("two", after[0]), "latency>5%") == [(1, 0, 0)]
    (outcome,) = judged(run("one", *before), run("two", *after), "latency>5%")
    assert outcome[0] == 0


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        ("latency>0.9ms", (1, 0, 0)),
        ("latency>1ms", (0, 1, 0)),
        ("latency>1.1ms", (0, 0, 1)),
        ("memory>64MB", (0, 0, 1)),
        ("memory>=63MB", (1, 0, 0)),
        ("psnr<30dB", (0, 1, 0)),
        ("macs<0%", None),
    ],
)
def test_a_gate_on_a_value_judges_the_last_run(limit, outcome):
    newest = row("a", peak_memory=64_000_000)
    if outcome is None:
        with pytest.raises(UsageError, match="compares two runs"):
            make([run("two", newest)], Request(fail_if=(limit,)))
        return
    (found,) = make([run("two", newest)], Request(fail_if=(limit,))).outcomes
    assert (len(found.failed), len(found.unclear), found.passed) == outcome


def test_more_can_be_better():
    before, after = run("one", row("a", psnr=30.0)), run("two", row("a", psnr=29.0))
    assert judged(before, after, "psnr<-1%", "psnr<-5%", "psnr>1%") == [(1, 0, 0), (0, 0, 1), (0, 0, 1)]


def test_a_case_that_is_no_longer_measured_does_not_pass():
    (outcome,) = make([run("one", row("a"), row("b")), run("two", row("a"))], Request(fail_if=("latency>5%",))).outcomes
    assert (outcome.failed, outcome.unclear, outcome.passed) == ((), ("b (only before)",), 1)


def test_a_case_that_ended_badly_both_times_is_no_news():
    assert judged(run("one", row("a", None)), run("two", row("a", None)), "latency>5%") == [(0, 0, 0)]


@pytest.mark.parametrize(
    "limit", ["latency", "latncy>5%", "latency=5%", "operator>5%", "latency>5", "latency>5 mm", "latency>-100%"]
)
def test_a_gate_that_cannot_be_read_is_wrong_usage(limit):
    with pytest.raises(UsageError, match="--fail-if"):
        gates.parse(limit)


def test_gates_may_be_joined_by_commas_and_name_what_budgets_name():
    found = gates.parse_all(["time>5%,mem>64MB", "psnr<-1%"])
    assert [(gate.name, gate.limit) for gate in found] == [
        ("latency", 0.05),
        ("peak_memory", 64e6),
        ("psnr", -0.01),
    ]


def stored(folder: Path, latency: float, half: float, **facts: Any) -> str:
    folder.mkdir()
    manifest = {"format": "a2u-bench run", "version": 1, "created": "2025-01-01T00:00:00+00:00", **facts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "rows.jsonl").write_text(json.dumps({"version": 1, **row("a", latency, half)}) + "\n")
    return str(folder)


@pytest.mark.parametrize(
    ("latency", "half", "strict", "code"),
    [
        (1e-3, 0.005, True, 0),
        (2e-3, 0.005, False, 3),
        (2e-3, 0.005, True, 3),
        (1e-3, 0.9, False, 0),
        (1e-3, 0.9, True, 4),
    ],
)
def test_exit_codes_for_ci(latency, half, strict, code, tmp_path, capsys):
    runs = [
        stored(tmp_path / name, *times, planned=1) for name, times in (("one", (1e-3, 0.005)), ("two", (latency, half)))
    ]
    flags = ["--fail-if", "latency>5%", *(["--strict"] if strict else [])]
    assert main(["compare", *runs, *flags]) == code
    assert "--fail-if latency>5%:" in capsys.readouterr().out
    assert main(["compare", *runs, *flags, "--json"]) == code
    (gate,) = json.loads(capsys.readouterr().out)["gates"]
    assert (gate["failed"] != []) == (code == 3)


@pytest.mark.parametrize(
    ("planned", "limit", "strict", "code"),
    [
        ((1, 1), "latency>5%", True, 0),
        ((1, 2), "latency>5%", True, 4),
        ((2, 1), "latency>5%", True, 4),
        ((1, 2), "latency>5%", False, 0),
        ((1, 2), "latency>2ms", True, 4),
        ((2, 1), "latency>2ms", True, 0),
        ((1, 2), "latency>0.5ms", True, 3),
    ],
)
def test_a_run_that_has_not_ended_does_not_pass_a_strict_gate(planned, limit, strict, code, tmp_path, capsys):
    runs = [stored(tmp_path / str(n), 1e-3, 0.005, planned=count) for n, count in enumerate(planned)]
    assert main(["compare", *runs, "--fail-if", limit, *(["--strict"] if strict else [])]) == code
    said = "inconclusive, since 1 of 2 planned cases have ended" in capsys.readouterr().err
    assert said == (code == 4)


@pytest.mark.parametrize("facts", [{}, {"planned": "1"}, {"planned": 1, "origins": {"x": {"planned": 1}, "y": {}}}])
def test_a_run_of_which_nobody_knows_whether_it_has_ended_does_not_pass_a_strict_gate(facts, tmp_path, capsys):
    run = stored(tmp_path / "run", 1e-3, 0.005, **facts)
    lines = [{"version": 1, **row("a"), "origin": name} for name in ("x", "y") if "origins" in facts]
    if lines:
        (tmp_path / "run" / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert main(["compare", run, "--fail-if", "latency>2ms", "--strict"]) == 4
    of = " of y" if lines else ""
    assert f"inconclusive, since the manifest{of} does not say how many cases were planned" in capsys.readouterr().err
    assert main(["compare", run, "--fail-if", "latency>2ms"]) == 0


def with_samples(folder: Path, *rows: Mapping[str, Any], latency: float = 1e-3) -> str:
    """A run of these rows in which each case has three processes of one sample each, around `latency`."""
    path = stored(folder, 1e-3, 0.005, planned=len({one["case"] for one in rows}))
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps({'version': 1, **one})}\n" for one in rows))
    samples = [
        {"version": 1, "case": case, "process": number, "round": 0, "latency": [latency * share]}
        for case in dict.fromkeys(one["case"] for one in rows)
        for number, share in enumerate((0.999, 1.0, 1 / 0.999))
    ]
    (folder / "samples.jsonl").write_text("".join(f"{json.dumps(sample)}\n" for sample in samples))
    return path


CHANGED = "1 row has a latency that the samples contradict: b; what is shown is what the samples say"


def test_a_row_that_its_samples_contradict_is_said_where_samples_are_read(tmp_path, capsys):
    true = with_samples(tmp_path / "true", row("a"), row("b", 1e-3 * (1 + 1e-12)))
    edited = with_samples(tmp_path / "edited", row("a"), row("b", 5e-4), row("c", None))
    for words in (["compare", true, edited], ["compare", edited], ["compare", edited, "--baseline", "a"]):
        assert main(words) == 0
        assert CHANGED in " ".join(capsys.readouterr().out.split())
    assert main(["compare", true, "--baseline", "a"]) == 0
    assert "contradict" not in capsys.readouterr().out
    table = tmp_path / "table.md"
    assert main(["export", edited, "--format", "markdown", "--out", str(table)]) == 0
    capsys.readouterr()
    assert main(["check", "--claims", str(table)]) == 0
    assert CHANGED in capsys.readouterr().out


def test_a_case_that_stands_twice_is_judged_row_by_row_without_the_samples_and_that_is_said(tmp_path, capsys):
    before = with_samples(tmp_path / "before", row("a"), row("b"))
    slow = with_samples(tmp_path / "slow", row("a"), row("b"), row("a", 3e-3))
    late = with_samples(tmp_path / "late", row("b"), row("a", 3e-3), row("a"))
    said = "1 case stands in several rows of one run: a; each row is judged by its own interval"
    for after, code in ((slow, 0), (late, 3)):
        assert main(["compare", before, after, "--fail-if", "latency>5%"]) == code
        out, err = capsys.readouterr()
        assert said in " ".join(out.split())
        assert "a case that stands above already; both kept, and each is judged (line 3)" in err
    assert "fails: a (1.000 ms → 3.000 ms" in " ".join(out.split())
    assert main(["compare", before, slow, "--fail-if", "latency>5%", "--strict"]) == 4
    assert "unclear: a (once more after)" in " ".join(capsys.readouterr().out.split())
    for run in (slow, late):
        assert main(["compare", run, "--fail-if", "latency>2ms"]) == 3
    capsys.readouterr()


def test_a_strict_gate_looks_into_each_part_of_a_merged_run(tmp_path, capsys):
    """A part with a row too many does not stand in for one of another part."""
    parts = {"one": {"planned": 1}, "two": {"planned": 2}}
    merged = stored(tmp_path / "merged", 1e-3, 0.005, planned=3, origins=parts)
    lines = [{"version": 1, **row("a"), "origin": "one"}, {"version": 1, **row("b"), "origin": "one"}]
    lines += [{"version": 1, **row("a"), "origin": "two"}]
    (tmp_path / "merged" / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert main(["compare", merged, "--fail-if", "latency>2ms", "--strict"]) == 4
    assert "1 of 2 planned cases have ended in two" in capsys.readouterr().err


def test_a_run_that_is_named_twice_is_said_to_be_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = stored(tmp_path / "one", 1e-3, 0.005)
    assert main(["compare", one, "./one"]) == 0
    assert "named 2 times; it is one run" in capsys.readouterr().err
    assert main(["compare", one, one, "--fail-if", "latency>5%"]) == 2
    assert f"{one} is one, however often it is named. Allowed: BEFORE AFTER" in capsys.readouterr().err
    assert main(["compare", one, one, "--fail-if", "latency>2ms"]) == 0


def test_nothing_to_judge_is_wrong_usage_not_a_pass(tmp_path, capsys):
    one = stored(tmp_path / "one", 1e-3, 0.005)
    assert main(["compare", one, "--fail-if", "latency>5%"]) == 2
    two = stored(tmp_path / "two", 1e-3, 0.005)
    text = (tmp_path / "two" / "rows.jsonl").read_text().replace('"case": "a-', '"case": "b-')
    (tmp_path / "two" / "rows.jsonl").write_text(text)
    assert main(["compare", one, two, "--fail-if", "latency>5%"]) == 2
    assert "no case in common" in capsys.readouterr().err


def test_a_document_says_what_was_not_read(tmp_path, capsys):
    stored(tmp_path / "one", 1e-3, 0.005)
    with (tmp_path / "one" / "rows.jsonl").open("a") as file:
        file.write('{"version": 1, "case": "nameless", "status": "ok"}\n{"version": 9}\n{"torn')
    for form in ("markdown", "latex", "html"):
        assert main(["export", str(tmp_path / "one"), "--format", form]) == 0
        out, err = capsys.readouterr()
        for said in ("of schema version 9, this program reads 1, left out (line 3)", "the last line is torn"):
            assert f"reading one: rows.jsonl: {said}" in out
            assert said in err
        assert "nameless" in out
