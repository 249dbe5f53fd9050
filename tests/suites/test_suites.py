"""What is asked on the command line becomes the cases it means, or one line that says what is allowed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from a2u_bench import operators
from a2u_bench.errors import UsageError
from a2u_bench.operators import device, papers
from a2u_bench.paper_names import Known, Publication
from a2u_bench.suites.expand import make_plan
from a2u_bench.suites.named import SUITES
from a2u_bench.suites.values import parse_shape


def test_all_means_every_operator_at_its_declared_variants():
    plan = make_plan(ops="all", device="cpu")
    planned = [case.options for case in plan.cases] + [skipped.case.options for skipped in plan.skipped]
    meant = [one for one in operators.every_variant() if operators.facts(one.name).guide_size == "output"]
    assert sorted(planned) == sorted(operator.text for operator in meant)
    assert len({case.id for case in plan.cases}) == len(plan.cases)


def test_a2u_is_among_all_at_ranks_1_2_4_in_every_sharing_mode():
    texts = {case.options for case in make_plan(ops="all", device="cpu").cases}
    for rank in ("", "rank=2", "rank=4"):
        for sharing in ("", "sharing=semi-shared", "sharing=unshared"):
            options = ",".join(filter(None, (rank, sharing)))
            assert (f"a2u:{options}" if options else "a2u") in texts


def test_the_default_suite_is_the_small_one_on_a_cpu():
    plan = make_plan(ops="nearest", device="cpu")
    assert plan.suite == "quick"
    assert [case.shape for case in plan.cases] == [(1, 64, 32, 32)] * 2


def test_a_suite_measures_equal_sites_once_and_records_how_many_they_are():
    plan = make_plan(ops="nearest", suite="segformer-b1", device="cpu")
    assert [case.shape for case in plan.cases[::2]] == [(1, 256, 16, 16), (1, 256, 32, 32), (1, 256, 64, 64)]
    assert [site.count for site in plan.sites] == [1, 2, 3]
    assert sum(site.count for site in SUITES["segformer-b1"].sites) == 6
    assert plan.to_manifest()["sites"][1] == {"shape": [1, 256, 32, 32], "count": 2}  # type: ignore[index]


def test_names_that_people_type_mean_those_that_rows_have():
    plan = make_plan(ops="nearest", shapes=["1x4x3x5"], dtypes=["bf16,fp16"], layouts=["nhwc"], device="cpu")
    assert {case.dtype for case in plan.cases} == {"bfloat16", "float16"}
    assert {case.layout for case in plan.cases} == {"channels_last"}


def test_a_gpu_and_the_types_of_c_are_named_by_their_first_names(monkeypatch):
    names = ["float", "single", "FP32", "double", "fp64", "half"]
    plan = make_plan(ops="nearest", shapes=["1x4x3x5"], dtypes=names, device="gpu", elsewhere=True)
    assert {case.device for case in plan.cases} == {"cuda"}
    assert {case.dtype for case in plan.cases} == {"float32", "float64", "float16"}
    monkeypatch.setattr("a2u_bench.operators.devices.why_not_cuda", lambda index: f"none is number {index}")
    for asked in (lambda: make_plan(ops="nearest", device="gpu"), lambda: device("gpu")):
        with pytest.raises(UsageError, match="--device cuda: none is number 0"):
            asked()


def test_repeated_and_comma_listed_values_make_axes():
    plan = make_plan(
        ops=["nearest", "bilinear"],
        shapes=["1x4x3x5,2×4×3×5"],
        scales=["2,3"],
        dtypes=["float32", "float64"],
        modes=["inference,training"],
        layouts=["contiguous", "channels_last"],
        threads=["1,2"],
        device="cpu",
    )
    assert len(plan.cases) == 2 * 2 * 2 * 2 * 2 * 2 * 2
    assert plan.suite == "custom"


def test_the_same_request_twice_is_one_case():
    plan = make_plan(ops="nearest,nearest,carafe:kernel_size=5,carafe", device="cpu")
    assert [case.options for case in plan.cases] == ["nearest", "carafe", "bilinear"]


def test_the_reference_is_measured_on_every_workload_whether_or_not_it_is_asked_for():
    plan = make_plan(ops="nearest", shapes=["1x4x3x5,1x4x6x5"], device="cpu")
    assert plan.reference is not None and plan.reference.options == "bilinear"
    assert [(case.options, case.height) for case in plan.cases] == [
        *(("nearest", 3), ("bilinear", 3)),
        *(("nearest", 6), ("bilinear", 6)),
    ]
    assert [plan.reference.beside(case) for case in plan.cases[::2]] == list(plan.cases[1::2])
    everything = make_plan(ops="all", device="cpu")
    assert [case.options for case in everything.cases].count("bilinear") == 1
    other = make_plan(ops="nearest", reference="carafe:kernel_size=5", device="cpu")
    assert [case.options for case in other.cases] == ["nearest", "carafe"]
    assert other.to_manifest()["reference"] == "carafe"


def test_a_reference_that_is_impossible_on_a_workload_is_left_out_unless_it_was_named(monkeypatch):
    asked: dict[str, Any] = {"shapes": ["1x6x4x4"], "scales": [3], "device": "cpu"}
    impossible = make_plan(ops="all", **asked).skipped[0].case.options
    with pytest.raises(UsageError, match=f"--reference {impossible}: "):
        make_plan(ops="bilinear", reference=impossible, **asked)
    suite = replace(SUITES["quick"], reference=impossible)
    monkeypatch.setitem(SUITES, "quick", suite)
    assert [case.options for case in make_plan(ops="bilinear", **asked).cases] == ["bilinear"]


def test_an_operator_that_cannot_is_skipped_under_all_and_wrong_when_named():
    plan = make_plan(ops="all", shapes=["1x6x4x4"], scales=[3], device="cpu")
    assert plan.skipped
    assert all(skipped.reason for skipped in plan.skipped)
    name = plan.skipped[0].case.options
    with pytest.raises(UsageError, match=name.partition(":")[0]):
        make_plan(ops=name, shapes=["1x6x4x4"], scales=[3], device="cpu")


def test_another_shape_keeps_the_operators_of_a_suite_that_has_the_same_everywhere():
    def measured(suite):
        return {case.options for case in make_plan(suite=suite, shapes=["1x64x8x8"], device="cpu").cases}

    assert measured("peers") == {text for site in SUITES["peers"].sites for text in site.ops}
    assert measured("features") == set(SUITES["features"].sites[0].ops)
    assert measured("primitive") >= {"nearest", "a2u", "carafe"}  # its ways differ from shape to shape: all operators


def test_quick_takes_a_small_budget_and_explicit_limits_win():
    quick, slow = make_plan(ops="nearest", quick=True, device="cpu"), make_plan(ops="nearest", device="cpu")
    assert quick.settings.each < slow.settings.each
    assert quick.settings.time_budget is slow.settings.time_budget is None
    assert make_plan(ops="nearest", quick=True, device="cpu", time_budget=5.0).settings.time_budget == 5.0


def test_a_quick_look_at_all_is_at_their_defaults_and_at_what_was_named():
    plan = make_plan(ops="all a2u:rank=2", quick=True, device="cpu")
    meant = [name for name in sorted(operators.names()) if operators.facts(name).guide_size == "output"]
    assert [case.options for case in plan.cases] == [*meant, "a2u:rank=2"]
    assert len(make_plan(ops="all", quick=False, device="cpu").cases) > 2 * len(plan.cases)


def test_a_memory_limit_is_read_as_people_type_it():
    assert make_plan(ops="nearest", device="cpu", memory_limit="2GiB").settings.memory_limit == 2 << 30
    assert make_plan(ops="nearest", device="cpu").settings.memory_limit is None


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"ops": "a2uu"}, "a2u"),
    ({"ops": "a2u:rnk=2"}, "rank"),
    ({"ops": "a2u:rank=0"}, "rank"),
    ({"ops": "a2u:rank=x"}, "rank"),
    ({"ops": "a2u:rank"}, "a2u:rank"),
    ({"ops": ""}, "Allowed: all"),
    ({"ops": "no.such.module:Thing"}, "cannot import"),
    ({"ops": "json:JSONDecoder"}, "no operator"),
    ({"ops": "a2u:sharing=semi-shared,share_groups=5"}, "5"),
    ({"ops": "all", "suite": "quik"}, "'quick'"),
    ({"ops": "all", "dtypes": ["float33"]}, "'float32'"),
    ({"ops": "all", "layouts": ["nhcw"]}, "channels_last"),
    ({"ops": "all", "modes": ["train"]}, "training"),
    ({"ops": "all", "runtimes": ["jit"]}, "compile"),
    ({"ops": "all", "scales": ["0"]}, "from 1"),
    ({"ops": "all", "scales": ["two"]}, "integers"),
    ({"ops": "all", "threads": ["0"]}, "from 1"),
    ({"ops": "all", "shapes": ["1x64x32"]}, "BxCxHxW"),
    ({"ops": "all", "time_budget": float("nan")}, "time-budget"),
    ({"ops": "all", "processes": 0}, "processes"),
    ({"ops": "all", "memory_limit": "much"}, "--memory-limit"),
    ({"ops": "all", "memory_limit": "0"}, "1B and more"),
    ({"ops": "all", "device": "gpu"}, "cpu"),
    ({"ops": "all", "reference": "bilinaer"}, "bilinear"),
    ({"ops": "all", "reference": "all"}, "all"),
    ({"ops": "all", "reference": "nearest,bilinear"}, "nearest"),
    ({"ops": "all", "reference": ""}, "operator"),
]


@pytest.mark.parametrize(("request_", "named"), WRONG, ids=[str(request_) for request_, _ in WRONG])
def test_a_wrong_request_is_one_line_that_names_what_is_allowed(request_: dict[str, Any], named: str):
    with pytest.raises(UsageError) as caught:
        make_plan(**({"device": "cpu"} | request_))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_here_is_wrong_usage():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    with pytest.raises(UsageError, match="--device cuda: "):
        make_plan(ops="nearest", device="cuda")


@pytest.mark.parametrize(
    "text", ["", "1x2x3", "1x2x3x4x5", "0x1x1x1", "ax1x1x1", "-1x1x1x1", "1x1x1x9999999", "1.5x1x1x1"]
)
def test_a_shape_that_cannot_be_read_is_wrong_usage(text: str):
    with pytest.raises(UsageError, match="Allowed"):
        parse_shape(text)


def test_a_shape_may_be_written_with_either_sign():
    assert parse_shape("1x64x32x16") == parse_shape("1×64×32×16") == parse_shape(" 1X64X32X16 ") == (1, 64, 32, 16)


FAMILY = {"anyup", "featup_jbu", "jafar", "jbu", "naf", "uplift_net"}


def test_operators_that_an_image_guides_are_the_suite_features_own_and_elsewhere_must_be_named():
    assert {name for name in operators.names() if operators.facts(name).guide_size == "any"} >= FAMILY
    assert not FAMILY & {case.operator for case in make_plan(ops="all", device="cpu").cases}
    assert {case.operator for case in make_plan(ops="all", suite="features", device="cpu").cases} > FAMILY
    assert {case.operator for case in make_plan(ops="naf jbu", device="cpu", shapes=["1x8x16x16"]).cases} == {
        "naf",
        "jbu",
        "bilinear",
    }


def test_the_suite_features_upsamples_three_grids_to_two_sizes():
    plan = make_plan(suite="features", device="cpu")
    assert {case.operator for case in plan.cases} == {
        "bilinear",
        "uplift",
        *FAMILY - {"uplift_net"},
    } and not plan.skipped
    found = {(case.shape, case.output_shape[2:]) for case in plan.cases}
    assert found == {((1, 384, n, n), (m, m)) for n in (16, 28, 32) for m in (224, 448)}


def test_a_size_of_the_output_stands_in_place_of_a_scale():
    plan = make_plan(ops="naf", shapes=["1x8x9x12"], sizes=["27x36", "18x24"], device="cpu")
    assert [case.scale for case in plan.cases if case.operator == "naf"] == [3, 2]
    for flags, said in (
        ({"sizes": ["20"]}, "--size 20x20: is no multiple of z's 9x12"),
        ({"sizes": ["27x24"]}, "--size 27x24: is no multiple of z's 9x12, the same in height and width"),
        ({"sizes": ["8x8"]}, "--size 8x8: is no multiple"),
        ({"sizes": ["8by8"]}, "cannot read size '8by8'. Allowed: HxW of the output"),
        ({"sizes": ["0"]}, "cannot read size '0'"),
        ({"sizes": ["18x24"], "scales": [2]}, "--size and --scale: each tells the output's size"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            make_plan(ops="naf", shapes=["1x8x9x12"], device="cpu", **flags)
    with pytest.raises(UsageError, match="--size and a network"):
        make_plan(suite="matting-unet", sizes=["224"], device="cpu")


OWN = """
import torch
from upsamplers import Facts, Paper, Upsampler


class Up(Upsampler):
    facts = Facts("our_up", "Ours", "distance-based", Paper("", "", "", 0), kernel_size=1, groups="1", taps="1")

    def weights(self, z, guide=None):
        return torch.ones(1, 1, 1, self.scale, self.scale)
"""


def test_what_own_operators_call_themselves_is_part_of_the_plan(tmp_path, monkeypatch):
    (tmp_path / "lab_of_a_person.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    plan = make_plan(ops="nearest lab_of_a_person:Up")
    assert plan.to_manifest()["own"] == {"lab_of_a_person:Up": "our_up"}
    assert "own" not in make_plan(ops="nearest").to_manifest()
    before = {"own": {"earlier:One": "one"}, "planned": 9}
    assert plan.going_on(before, set(), set())["own"] == {"earlier:One": "one", "lab_of_a_person:Up": "our_up"}
    assert "own" not in make_plan(ops="nearest").going_on(before, set(), set())
    assert "papers" not in plan.to_manifest()  # a paper without a title is no paper


def test_papers_of_own_operators_are_part_of_the_plan(tmp_path, monkeypatch):
    text = OWN.replace('Paper("", "", "", 0)', 'Paper("You", "Your paper", "arXiv", 2026)').replace("our_up", "up_2")
    (tmp_path / "lab_that_published.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    plan = make_plan(ops="nearest lab_that_published:Up")
    paper: dict[str, Any] = {"authors": "You", "title": "Your paper", "venue": "arXiv", "year": 2026, "arxiv": ""}
    assert plan.to_manifest()["papers"] == {"lab_that_published:Up": paper}
    assert plan.going_on({"planned": 9}, set(), set())["papers"] == {"lab_that_published:Up": paper}
    known = papers.known_in([{"origins": {"a": plan.to_manifest()}}])["lab_that_published:Up"]
    assert known == Known("up_2", Publication(**paper), own=True)


@pytest.mark.parametrize(
    "stored",
    [None, "x", {}, {"title": 3}, {"title": "T", "year": "1"}, {"title": " ", "year": 1}, {"title": "T", "year": True}],
)
def test_what_is_no_paper_in_a_manifest_is_none(stored):
    manifest = {"own": {"lab:Up": "ours"}, "papers": {"lab:Up": stored}}
    assert papers.known_in([manifest])["lab:Up"] == Known("ours", None, own=True)
    assert papers.known_in([{**manifest, "papers": stored}])["lab:Up"].paper is None
