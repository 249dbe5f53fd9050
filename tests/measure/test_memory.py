"""Memory is exact to the byte: outputs, scratch inside kernels and custom operators, and what backward keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from a2u_bench.case import Case
from a2u_bench.measure import memory
from a2u_bench.measure.inputs import Prepared, prepare
from a2u_bench.measure.memory import Memory, call_memory, peak_memory, peak_of, saved_memory, storage_bytes

ROOT = Path(__file__).resolve().parents[2]


def prepared(options: str, **axes: Any) -> Prepared:
    name = options.partition(":")[0]
    return prepare(Case(name, "", options, **({"batch": 1, "channels": 4, "height": 6, "width": 5} | axes)), 0, {})


def warm(case: Prepared) -> Memory:
    with torch.set_grad_enabled(case.case.mode == "training"):
        case.call()
        memory = call_memory(case.call, case.own)
    assert memory is not None
    return memory


@pytest.fixture(scope="module")
def scratch():
    @torch.library.custom_op("a2u_bench_tests::scratch", mutates_args=())
    def scratch(x: Tensor) -> Tensor:
        first = torch.empty(1_000_003, dtype=torch.uint8)
        del first
        second = torch.empty(3000, dtype=torch.uint8)
        return torch.empty(second.shape[0] - 1000, dtype=torch.uint8)

    return scratch


def test_the_peak_is_the_highest_sum_in_order():
    assert peak_of([100, 50, -100, 30, -80]) == 150
    assert peak_of([-5, 3]) == 0
    assert peak_of([]) == 0


def test_an_output_counts_to_the_byte_and_inputs_do_not():
    x = torch.zeros(10, 100)
    assert peak_memory(lambda: torch.empty(1001, dtype=torch.uint8)) == 1001
    assert peak_memory(lambda: torch.neg(x)) == 4000
    assert peak_memory(lambda: x.view(-1)) == 0


def test_a_released_intermediate_counts_while_it_lives():
    def call() -> Tensor:
        wide = torch.empty(5000, dtype=torch.uint8)
        small = torch.empty(700, dtype=torch.uint8)
        del wide
        return torch.cat([small, torch.empty(300, dtype=torch.uint8)])

    assert peak_memory(call) == 5700


def test_scratch_inside_a_custom_operator_counts(scratch):
    x = torch.zeros(1)
    assert peak_memory(lambda: scratch(x)) == 1_000_003


def test_the_same_call_gives_the_same_bytes_every_time():
    x = torch.randn(1, 8, 12, 12)
    convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
    with torch.no_grad():
        assert len({peak_memory(lambda: convolution(x)) for _ in range(3)}) == 1


def test_saved_for_backward_counts_each_storage_once_and_leaves_inputs_and_parameters_out():
    x = torch.randn(6, 50, requires_grad=True)
    weight = torch.randn(6, 50, requires_grad=True)

    def call() -> Tensor:
        y = x * weight  # saves x and weight, which were there before
        z = y.exp()  # saves z: 1200 bytes
        return z * z.view(6, 50)  # saves z again

    assert saved_memory(call, (x, weight)) == 1200
    assert saved_memory(call, (x,)) == 2400
    assert saved_memory(lambda: x + 1, (x,)) == 0


FLOAT, INDEX = 4, 8
UP = 4 * 12 * 10 * FLOAT  # the output of z 1×4×6×5 at scale 2

KNOWN = {
    # for each row and column four taps with an index and a weight
    "bicubic": Memory(UP, UP + (12 + 10) * 4 * (INDEX + FLOAT)),
    # the pooling's indices stay; its maxima, which nobody reads, are gone before the output is there
    "max_unpool": Memory(UP, UP + 4 * 6 * 5 * INDEX),
}


@pytest.mark.parametrize("name", KNOWN)
def test_an_operator_whose_allocations_are_known_is_exact_to_the_byte(name: str):
    assert warm(prepared(name)) == KNOWN[name]


def test_the_blend_of_a_gate_is_one_pass_that_holds_neither_of_its_products():
    up = 64 * 32 * 32 * FLOAT
    memory = warm(prepared("fade", channels=64, height=16, width=16))
    assert memory is not None
    assert memory.output == up
    assert 2 * up <= memory.peak < 3 * up  # the upsampled map and the blend; no gate · guide, no (1 − gate) · up


def test_the_five_numbers_of_a_training_step_whose_allocations_are_known():
    case = prepared("max_unpool", mode="training")
    gradient = 4 * 6 * 5 * FLOAT
    indices = 4 * 6 * 5 * INDEX
    assert warm(case) == Memory(UP + gradient, UP + gradient + indices)
    assert warm(case).workspace == indices
    assert saved_memory(lambda: case.runner(case.z, case.guide), case.own) == indices


def test_what_a_call_returns_counts_each_storage_once_and_views_of_inputs_not():
    x = torch.zeros(10, 100)
    assert storage_bytes((x, [x.t(), x[0]]), ()) == 4000
    assert storage_bytes((x.t(), torch.zeros(3)), (x,)) == 12
    assert call_memory(lambda: (torch.neg(x), x.view(-1)), (x,)) == Memory(4000, 4000)


def test_the_first_call_counts_what_it_keeps_and_a_warm_call_does_not():
    kept: list[Tensor] = []

    def call() -> Tensor:
        if not kept:
            kept.append(torch.empty(5000, dtype=torch.uint8))
        return torch.empty(700, dtype=torch.uint8)

    assert call_memory(call) == Memory(700, 5700)
    assert call_memory(call) == Memory(700, 700)


HIGH_WATER = """
import re, sys
from pathlib import Path
import psutil, torch
from a2u_bench.measure.inputs import prepare
from a2u_bench.measure.memory import call_memory
from a2u_bench.case import Case
small, large = (Case(sys.argv[1], "", sys.argv[1], 1, 64, side, side) for side in (32, 256))
with torch.no_grad():
    prepare(small, 0, {}).call()
    case = prepare(large, 0, {})
    Path("/proc/self/clear_refs").write_text("5")  # the mark begins anew: imports, and whoever started us, had theirs
    before = psutil.Process().memory_info().rss
    output = case.call()
    del output
    most = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    print("bytes", most - before, call_memory(case.call, case.own).peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is read as Linux counts it")
@pytest.mark.parametrize("name", ["max_unpool", "fade"])
def test_the_peak_agrees_with_the_process_s_own_high_water_mark(name: str):
    # The C library gives back at once what torch releases; otherwise the mark would count what it keeps as well.
    prompt = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", HIGH_WATER, name], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **prompt}
    )
    assert done.returncode == 0, done.stderr
    mark, peak = (int(word) for word in next(x for x in done.stdout.splitlines() if x.startswith("bytes")).split()[1:])
    assert peak > 90 << 20
    assert abs(mark - peak) < 8 << 20


def test_on_a_gpu_requested_bytes_count_above_what_libraries_keep(monkeypatch):
    """Blocks are rounded up to 512 bytes; cuBLAS takes its workspace before, not in, the first call that needs it."""
    held = {"now": 0, "peak": 0}

    def take(count: int) -> None:
        held["now"] += count
        held["peak"] = max(held["peak"], held["now"])

    def stats() -> dict[str, int]:
        rounded = {when: -(-held[key] // 512) * 512 for when, key in (("current", "now"), ("peak", "peak"))}
        return {
            **{f"requested_bytes.all.{when}": held[key] for when, key in (("current", "now"), ("peak", "peak"))},
            **{f"allocated_bytes.all.{when}": count for when, count in rounded.items()},
        }

    monkeypatch.setattr(torch.cuda, "memory_stats", stats)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: held.update(peak=held["now"]))
    monkeypatch.setattr(memory, "ready_libraries", cache(lambda: take(8 << 20)))

    def call() -> Tensor:
        memory.ready_libraries()
        take(5001)
        take(-4001)
        return torch.empty(1000, dtype=torch.uint8)

    for _ in range(2):
        assert call_memory(call, device="cuda") == Memory(1000, 5001)
