"""The suite `primitive`: every way gives wᵀz, ways meet in a block, a process that keeps its memory does."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import torch
from fakes import FakeClock, FakeWorkers

from a2u_bench.case import Case
from a2u_bench.measure.inputs import prepare
from a2u_bench.operators.bench_only import given_kernels
from a2u_bench.run.runner import run
from a2u_bench.run.schedule import compose
from a2u_bench.suites.expand import make_plan
from a2u_bench.suites.plan import Plan, Settings
from upsamplers import Unsupported, Upsampler, testing

WAYS: list[tuple[type[Upsampler], dict[str, Any]]] = [
    (given_kernels.Primitive, {}),
    (given_kernels.Primitive, {"backend": "eager", "kernel_size": 3, "groups": 4}),
    (given_kernels.Unfold, {"kernel_size": 3, "groups": 2}),
    (given_kernels.Unfold, {"kernel_size": 1, "groups": 4}),
    (given_kernels.Points, {"groups": 2}),
    (given_kernels.Points, {"backend": "eager"}),
    (given_kernels.GridSample, {"groups": 2}),
]


@pytest.mark.parametrize(("way", "options"), WAYS)
def test_every_way_is_the_same_sum(way: type[Upsampler], options: dict[str, Any]) -> None:
    op = way(8, None, 2, **options).double()
    z, guide = testing.inputs(op)
    testing.check_definition(op, z, guide)
    for name in ("channels", "guide_channels"):
        assert getattr(op, name) >= 1
    assert op.macs(5, 3) == op.kernel_size**2 * 8 * 4 * 15


def test_groups_that_do_not_divide_are_impossible() -> None:
    for way in (given_kernels.Primitive, given_kernels.Unfold, given_kernels.Points, given_kernels.GridSample):
        with pytest.raises(Unsupported, match="groups=3 must divide channels; got 8"):
            way(8, groups=3)


def test_ways_of_one_workload_meet_in_one_block() -> None:
    plan = make_plan(suite="primitive", device="cpu", threads=[2])
    assert Counter(case.allocator for case in plan.cases) == {"default": 32, "kept": 32}
    found = compose(plan.cases, plan, {})
    assert len(found) == 4 * 2 * 2  # shapes, modes, allocators
    for block in found:
        assert len({(case.shape, case.allocator, case.mode) for case in block}) == 1
        assert len(block) == 3  # and nearest, the suite's reference
    assert plan.reference is not None and plan.reference.options == "nearest"


def test_operators_that_are_named_are_measured_on_the_shapes_of_the_suite() -> None:
    plan = make_plan(ops="nearest", suite="primitive", modes=["inference"], allocators=["kept"], device="cpu")
    assert [(case.options, case.allocator) for case in plan.cases] == [("nearest", "kept")] * 4


def test_a_case_without_an_allocator_keeps_its_id() -> None:
    plain = Case("nearest", "nearest", "nearest", 1, 64, 32, 32, threads=2)
    assert plain.id == "nearest-f1145f8b5613"
    case = make_plan(ops="nearest", allocators=["default"], threads=[2], device="cpu").cases[0]
    assert case.allocator is None


def test_a_process_keeps_what_it_frees_where_nothing_else_is_asked_and_glibc_serves_a_cpu(monkeypatch) -> None:
    def allocator(libc: str, device: str = "cpu") -> str | None:
        monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
        return make_plan(ops="nearest", suite="quick", threads=[2], device=device, elsewhere=True).cases[0].allocator

    assert [allocator("glibc"), allocator(""), allocator("glibc", "cuda")] == ["kept", None, None]


def test_the_guide_is_as_wide_as_the_kernel() -> None:
    text = "a2u_bench.ways:Primitive:groups=2,kernel_size=3"
    case = Case("a2u_bench.ways:Primitive", "", text, 1, 4, 5, 3, mode="training", threads=1)
    prepared = prepare(case, 0, {})
    assert prepared.guide is not None and prepared.guide.shape == (1, 18, 10, 6)
    with torch.enable_grad():
        up, (of_z, of_w) = prepared.call()
    assert (up.shape, of_z.shape, of_w.shape) == ((1, 4, 10, 6), (1, 4, 5, 3), (1, 18, 10, 6))


FAULTS = """
import resource, sys, torch
from a2u_bench.operators import Impossible
from a2u_bench.measure.allocator import keep_freed_blocks
if sys.argv[1] == "kept":
    try:
        keep_freed_blocks()
    except Impossible:
        sys.exit(77)
torch.set_num_threads(1)
def call():
    return torch.empty(64 << 20, dtype=torch.uint8).fill_(1)
for _ in range(12):
    call()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    call()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator alone")
def test_a_process_that_keeps_its_memory_pays_no_page_faults_for_it() -> None:
    def faults(which: str) -> int:
        done = subprocess.run([sys.executable, "-c", FAULTS, which], capture_output=True, text=True, timeout=120)
        if done.returncode == 77:
            pytest.skip("no glibc here")
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert faults("kept") <= 2 * (64 << 20) // 4096  # of ten calls; two more if the heap has to grow


TIMES = {"nearest": 1.0, "a2u_bench.ways:Unfold": 40.0, "a2u_bench.ways:Primitive": 2.0}


def rows() -> list[dict[str, Any]]:
    """One workload on a fake clock, whose second process is three times as slow as the others."""
    cases = tuple(Case(name, "", name, 1, 8, 4, 4, mode="inference", allocator="kept") for name in TIMES)
    clock = FakeClock()
    seconds = lambda case, process, index: TIMES[case.operator] * (3 if process == 2 else 1)  # noqa: E731
    settings = Settings(time_budget=1e9, processes=3, max_rounds=2, target_ci=10)
    return run(Plan("primitive", cases, (), settings), workers=FakeWorkers(clock, seconds), clock=clock)


def test_the_best_round_is_the_shortest_of_all_processes() -> None:
    assert [row["latency_best"] for row in rows()] == list(TIMES.values())
