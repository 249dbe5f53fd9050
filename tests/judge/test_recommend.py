"""Recommendations, to the last character, and each wrong request in one line."""

from __future__ import annotations

import json
import re

import pytest
from example_rows import COSTS, case, make_quality, make_run

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.store.write import Store


def printed(capsys, *arguments: str, code: int = 0) -> str:
    assert main(["recommend", *arguments]) == code
    return capsys.readouterr().out


def test_by_cost_alone_the_fastest_is_the_answer_and_the_next_are_beside_it(capsys, tmp_path):
    out = printed(capsys, "--budget", "latency=0.3ms,memory=8MB", str(make_run(tmp_path / "run")))
    assert out == (
        "Use nearest: 26.2 ±0.7 µs, 1.049 MB, because it is the fastest of the 5 that fit latency=0.3ms, memory=8MB.\n"
        "\n"
        "or instead gains               costs more\n"
        "─────────────────────────────────────────────────────────────────\n"
        "bilinear   nothing significant latency ×2.00 ±0.03, memory ×1.25\n"
        "DySample   nothing significant latency ×4.00, memory ×1.75\n"
        "A2U        nothing significant latency ×7.00, memory ×2.50\n"
        "CARAFE     nothing significant latency ×11.00 ±0.14, memory ×3.50\n"
        "\n"
        "measured: z 1×64×32×32, scale 2, float32, contiguous, inference, eager, cpu, 4 threads\n"
        "× and differences: against nearest, only where they are significant (5 %, each by itself)\n"
        "over the budget: A2U, rank 4, sharing unshared\n"
        "not judged, since they did not end ok: FADE\n"
        "no quality is known: name a run of `a2u-bench quality` as well, and quality decides\n"
        "ONNX: not stored; `a2u-bench run --onnx` tells\n"
        "compiles: not stored; `a2u-bench run --runtime compile` tells\n"
    )


def test_nothing_that_is_beaten_stands_beside_the_answer_where_quality_is_known(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    scores = {"conv/nearest": 21.2, "conv/carafe": 19.7, "conv/bilinear": 24, "twin/a2u": 29}
    trained = make_quality(tmp_path / "trained", scores)
    content = json.loads(printed(capsys, "--budget", "latency<1ms", "--json", str(costs), str(trained)))
    assert content["use"] == "a2u"
    assert [one["options"] for one in content["alternatives"]] == ["bilinear", "nearest"]
    assert all([part["name"] for part in one["costs"]] == ["psnr"] for one in content["alternatives"])
    assert all([part["name"] for part in one["gains"]] == ["latency", "peak_memory"] for one in content["alternatives"])
    assert content["alternatives"][1]["costs"][0]["value"] == pytest.approx(-7.8)
    assert content["alternatives"][1]["gains"][0]["value"] == pytest.approx(1 / 7)
    assert any("significantly better somewhere: CARAFE" in note for note in content["notes"])
    out = printed(capsys, "--budget", "latency<1ms", str(costs), str(trained))
    assert out.startswith("Use A2U (a2u): 184 ±5 µs, 2.621 MB, PSNR 29.1 ±0.2 dB, because its PSNR is the best")
    assert "because its PSNR is the best of the 4 that fit latency<1ms" in out
    assert "PSNR -5.0" in out


def test_quality_decides_only_within_the_budget(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, "conv/bilinear": 24, "twin/a2u": 29})
    content = json.loads(printed(capsys, "--budget", "latency<100us", "--json", str(costs), str(trained)))
    assert content["use"] == "bilinear"
    content = json.loads(printed(capsys, "--budget", "psnr>25dB", "--json", str(costs), str(trained)))
    assert content["use"] == "a2u"


def test_of_two_whose_quality_does_not_differ_significantly_the_faster_one_is_used(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, "conv/bilinear": 28.95, "twin/a2u": 29})
    out = printed(capsys, "--budget", "latency<1ms", str(costs), str(trained))
    assert out.startswith("Use bilinear: ")
    assert "it is the fastest of 2 whose PSNR is not significantly worse than another's, among the 3 that fit" in out


def test_an_operator_must_be_known_in_every_task_that_is_named(capsys, tmp_path):
    costs = make_run(tmp_path / "costs")
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, "twin/a2u": 29})
    mattes = make_quality(tmp_path / "mattes", {"conv/nearest": 9, "conv/bilinear": 8}, task="matting")
    assert main(["recommend", str(costs), str(trained), str(mattes), "--budget", "latency=10ms", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["use"], content["alternatives"]) == ("nearest", [])
    assert (content["rows"][0]["psnr"], content["rows"][0]["sad"]) == pytest.approx((21.1, 9.1))
    assert "it alone of those that fit latency=10ms has a known PSNR and SAD" in content["answer"]
    unscored = next(note for note in content["notes"] if "their quality is not known" in note)
    assert "A2U" in unscored
    assert "bilinear" in unscored


def test_variants_count_only_when_they_are_asked_for_or_their_quality_is_known(capsys, tmp_path):
    rank = "a2u:rank=4,sharing=unshared"
    costs = make_run(tmp_path / "costs")
    arguments = ["--budget", "latency<1ms", "--json", str(costs)]
    content = json.loads(printed(capsys, *arguments))
    assert rank not in [row["options"] for row in content["rows"]]
    assert "variants that fit too (--variants counts them in): A2U, rank 4, sharing unshared" in content["notes"]
    listed = json.loads(printed(capsys, *arguments, "--variants", "--all"))
    assert rank in [row["options"] for row in listed["rows"]]
    trained = make_quality(tmp_path / "trained", {"conv/nearest": 21, f"twin/{rank}": 29})
    assert json.loads(printed(capsys, *arguments, str(trained)))["use"] == rank


def test_there_are_five_alternatives_at_most(capsys, tmp_path):
    content = json.loads(
        printed(capsys, "--budget", "latency<1s", "--json", "--variants", str(make_run(tmp_path / "run")))
    )
    assert len(content["alternatives"]) == 5 == len(COSTS) - 1
    more = make_run(tmp_path / "more", [case(options, height=size) for options in COSTS for size in (32,)])
    with Store.open(more, {}, True) as store:
        store.append_row(make_row(case("fade"), "ok", "", {"latency": 1.0}))
    out = json.loads(printed(capsys, "--budget", "latency<2s", "--json", "--variants", str(more)))
    assert len(out["alternatives"]) == 5
    assert "fit too (--all shows them): FADE" in out["notes"]


def test_operators_have_their_names_in_papers_and_the_answer_says_how_it_is_typed(capsys, tmp_path):
    run = make_run(tmp_path / "run", [case("a2u:rank=4,sharing=unshared"), case("dysample")])
    asked = ["--budget", "latency<1ms", "--variants", str(run)]
    out = printed(capsys, *asked, "--all")
    assert out.startswith("Use DySample (dysample): ")
    assert len(re.findall("^A2U, rank 4, sharing unshared ", out, re.MULTILINE)) == 2  # instead, and of everything
    content = json.loads(printed(capsys, *asked, "--json"))
    assert content["alternatives"][0]["options"] == "a2u:rank=4,sharing=unshared"
    assert "called" not in content["rows"][0]


def test_operators_are_chosen_by_the_names_that_are_printed_too(capsys, tmp_path):
    run = make_run(tmp_path / "run")
    text = printed(capsys, str(run), "--budget", "latency=1s", "--filter", "operator=CARAFE")
    assert text.startswith("Use CARAFE (carafe): ") and "1 of 7 rows kept" in text
    assert main(["plot", str(run), "--kind", "pareto", "--out", str(tmp_path), "--filter", "operator=CARAFE,A2U"]) == 0


def test_what_is_within_only_perhaps_is_marked(capsys, tmp_path):
    run = make_run(tmp_path / "run", [case("nearest")])  # 26.2144 µs, interval up to 2 % above
    content = json.loads(printed(capsys, "--budget", "latency=26.5us", "--json", str(run)))
    assert [row["fits"] for row in content["rows"]] == ["perhaps"]
    assert "perhaps: the far end of its interval is over the limit" in content["answer"]
    assert any(note.startswith("perhaps: ") for note in content["notes"])


def test_where_nothing_fits_the_nearest_miss_is_named_and_the_exit_code_is_3(capsys, tmp_path):
    run = str(make_run(tmp_path / "run"))
    out = printed(capsys, "--budget", "latency=13.1072us", run, code=3)
    assert out.splitlines()[0] == (
        "nothing fits latency=13.1072us; the nearest miss is nearest: 26.2 ±0.7 µs, 2.00 times the limit"
    )
    slowest_first = make_run(tmp_path / "other", [case(one) for one in sorted(COSTS, key=COSTS.__getitem__)[::-1]])
    out = printed(capsys, "--budget", "latency=0ms", str(slowest_first), code=3)
    assert "the nearest miss is nearest: 26.2 ±0.7 µs\n" in out  # infinitely many times the limit, as all are
    content = json.loads(printed(capsys, "--budget", "latency=1us", "--json", run, code=3))
    assert (content["use"], content["alternatives"], content["rows"]) == (None, [], [])
    trained = str(make_quality(tmp_path / "trained", {"conv/nearest": 21}))
    out = printed(capsys, "--budget", "psnr>30dB", run, trained, code=3)
    assert out.startswith("nothing fits psnr>30dB; the nearest miss is nearest: PSNR 21.1 ±0.2 dB\n")


def test_all_shows_what_is_beaten(capsys, tmp_path):
    out = printed(capsys, "--budget", "latency=1s", "--all", "--variants", str(make_run(tmp_path / "run")))
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


def test_a_runtime_is_chosen_within(capsys, tmp_path):
    with Store.create(tmp_path / "run", {}) as store:
        for runtime, faster in (("eager", "nearest"), ("openvino", "bilinear")):
            for options in ("nearest", "bilinear"):
                found = {"latency": 1e-3 if options == faster else 2e-3}
                store.append_row(make_row(case(options, runtime=runtime), "ok", "", found))
    for runtime, use in (("eager", "nearest"), ("openvino", "bilinear")):
        assert printed(capsys, "--budget", "latency=1s", "--runtime", runtime, str(tmp_path / "run")).startswith(
            f"Use {use}:"
        )


WRONG = {
    "no budget": ([], ["--budget"]),
    "an empty budget": (["--budget", ","], ["--budget is empty", "latency=2ms"]),
    "no value": (["--budget", "latency"], ["'latency': no condition", "latency=2ms"]),
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
    "a limit on the wrong side": (["--budget", "latency>2ms"], ["is the most that it may be", "= < <="]),
    "a quality on the wrong side": (["--budget", "psnr<20dB"], ["is the least that it may be", "= > >="]),
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
