"""Recommendations, to the last character, and each wrong request in one line."""

from __future__ import annotations

import json

import pytest
from example_rows import COSTS, case, make_quality, make_run

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.store.write import Store


def printed(capsys, *arguments: str) -> str:
    assert main(["recommend", *arguments]) == 0
    return capsys.readouterr().out


def test_by_cost_alone_the_plainest_wins_and_that_is_said(capsys, tmp_path):
    out = printed(capsys, "--budget", "latency=0.3ms,memory=8MB", str(make_run(tmp_path / "run")))
    assert out == (
        "z 1×64×32×32, scale 2, float32, contiguous, inference, eager, cpu, 4 threads\n"
        "operator   latency        ratio peak mem params  MACs fits\n"
        "              [µs]                  [MB]          [k]\n"
        "──────────────────────────────────────────────────────────\n"
        "nearest  26.2 ±0.7 0.500 ±0.006    1.049      0 262.1 yes\n"
        "fit too, but something that fits is nowhere worse and significantly better somewhere (latency, peak memory): "
        "bilinear; dysample; a2u; carafe\n"
        "over the budget: a2u:rank=4,sharing=unshared\n"
        "not judged, since they did not end ok: fade\n"
        "no quality is known here, so the plainest wins; name a run of `a2u-bench quality` as well\n"
        "ratio: to bilinear, timed in the same rounds\n"
        "ONNX: not stored; `a2u-bench run --onnx` tells\n"
        "compiles: not stored; `a2u-bench run --runtime compile` tells\n"
    )


def test_an_operator_must_be_known_in_every_task_that_is_named(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, "twin/a2u": 29})
    mattes = make_quality(tmp_path / "mattes", {"conv/nearest": 9, "conv/bilinear": 8}, task="matting")
    assert main(["recommend", str(costs), str(trained), str(mattes), "--budget", "latency=10ms", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["options"] for row in content["rows"]] == ["nearest"]
    assert (content["rows"][0]["psnr"], content["rows"][0]["sad"]) == pytest.approx((21.1, 9.1))
    unscored = next(note for note in content["notes"] if "no quality of theirs is known" in note)
    assert "a2u" in unscored
    assert "bilinear" in unscored


def test_with_quality_each_step_up_in_cost_buys_some(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, "conv/bilinear": 20, "twin/a2u": 29})
    content = json.loads(printed(capsys, "--budget", "latency=1ms", "--json", str(costs), str(trained)))
    assert content["budget"] == {"latency": 1e-3}
    assert [(row["options"], row["fits"], row["front"]) for row in content["rows"]] == [
        ("nearest", "yes", True),
        ("a2u", "yes", True),
    ]
    assert any("bilinear" in note and "significantly better" in note for note in content["notes"])
    assert any("no quality of theirs is known: " in note and "carafe" in note for note in content["notes"])


def test_what_is_within_only_perhaps_is_marked(capsys, tmp_path):
    run = make_run(tmp_path / "run", [case("nearest")])  # 26.2144 µs, interval up to 2 % above
    content = json.loads(printed(capsys, "--budget", "latency=26.5us", "--json", str(run)))
    assert [row["fits"] for row in content["rows"]] == ["perhaps"]
    assert any(note.startswith("perhaps: ") for note in content["notes"])


def test_where_nothing_fits_the_closest_is_named(capsys, tmp_path):
    out = printed(capsys, "--budget", "latency=13.1072us", str(make_run(tmp_path / "run")))
    assert out.splitlines()[0] == (
        "nothing fits latency=13.1072us; closest: nearest, 2.00 times as much as one of the limits"
    )


def test_all_shows_what_is_beaten(capsys, tmp_path):
    out = printed(capsys, "--budget", "latency=1s", "--all", str(make_run(tmp_path / "run")))
    assert out.count("beaten") == len(COSTS) - 1


def test_what_ran_compiled_compiles_and_what_failed_does_not(capsys, tmp_path):
    with Store.create(tmp_path / "run", {}) as store:
        for options in ("nearest", "bilinear", "a2u"):
            store.append_row(make_row(case(options), "ok", "", {"latency": 1e-3}))
        store.append_row(make_row(case("nearest", runtime="compile"), "ok", "", {"latency": 1e-4}))
        store.append_row(make_row(case("bilinear", runtime="compile"), "failed", "graph break", {}))
    arguments = ["--budget", "latency=1s", "--filter", "runtime=eager", "--all", "--json", str(tmp_path / "run")]
    rows = json.loads(printed(capsys, *arguments))["rows"]
    assert {row["options"]: row["compiles"] for row in rows} == {"nearest": "yes", "bilinear": "no", "a2u": None}


WRONG = {
    "no budget": ([], ["--budget"]),
    "an empty budget": (["--budget", ","], ["--budget is empty", "latency=2ms"]),
    "no value": (["--budget", "latency"], ["latency", "NAME=QUANTITY"]),
    "an unknown quantity": (["--budget", "latncy=2ms"], ["latncy", "Did you mean 'latency'"]),
    "a number that is none": (["--budget", "latency=soon"], ["soon", "2ms"]),
    "less than nothing": (["--budget", "latency=-2ms"], ["latency=-2ms: below zero", "from 0 up"]),
    "a number without its unit": (["--budget", "latency=2"], ["no unit", "latency=2ms"]),
    "a unit of another kind": (
        ["--budget", "memory=2ms"],
        ["'2ms' is no size with its unit", "memory=64MB, 64MiB or 1GB"],
    ),
    "bytes for a time": (
        ["--budget", "latency=2MB"],
        ["'2MB' is no time with its unit", "latency=2ms, 20us or 1s"],
    ),
    "a time for a count": (["--budget", "params=2ms"], ["'2ms' is no plain number", "params=2M"]),
    "a time for decibels": (["--budget", "psnr=2ms"], ["'2ms' is no number of decibels", "psnr=30dB"]),
    "a quantity twice": (["--budget", "memory=1MB,peak_memory=2MB"], ["twice"]),
    "two shapes": (["--budget", "latency=1s"], ["more than one shape", "--shape 1x64x32x32 or --shape 1x64x64x64"]),
    "a shape that is not there": (["--budget", "latency=1s", "--shape", "1x2x3x4"], ["1x2x3x4", "1x64x32x32"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_line(name, capsys, tmp_path):
    run = make_run(tmp_path / "run", [case("nearest"), case("nearest", height=64, width=64)])
    arguments, says = WRONG[name]
    assert main(["recommend", *arguments, str(run)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for word in says:
        assert word in err
