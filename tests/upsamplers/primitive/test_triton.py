"""The Triton kernels without a GPU: under Triton's interpreter, and through its compiler up to the machine code."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fused_cases import factors, noise
from registered_operators import as_types

import upsamplers
from upsamplers.fused import PASSES
from upsamplers.primitive.cuda import tiling

HERE = Path(__file__).parents[2]
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="pip install triton (Linux)")


def run(*command: str | Path, **environment: str) -> str:
    """Standard output of a Python process; its whole output if it fails."""
    # one process each: Triton decides at its import whether to interpret
    result = subprocess.run(
        [sys.executable, *command],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE.parent), **environment},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        pytest.fail(result.stdout + result.stderr)
    return result.stdout


@needs_triton
@pytest.mark.parametrize(
    "part", ["window_kernels", "downsampling or point", "not (window_kernels or downsampling or point)"]
)
def test_every_kernel_agrees_with_the_definition_under_the_interpreter(part: str) -> None:
    file = HERE / "interpreted_triton.py"
    run("-m", "pytest", "-p", "no:cacheprovider", "-k", part, file, TRITON_INTERPRET="1")


@needs_triton
def test_every_fused_pass_agrees_with_its_definition_under_the_interpreter_and_operators_launch_little() -> None:
    file = HERE / "interpreted_fused.py"
    run("-m", "pytest", "-p", "no:cacheprovider", file, TRITON_INTERPRET="1", UPSAMPLERS_BACKEND="triton")


@needs_triton
@pytest.mark.parametrize("capability", ["80", "90"])
def test_every_kernel_compiles_for_a_gpu_and_keeps_its_sums_in_registers(capability: str, tmp_path: Path) -> None:
    lines = run(HERE / "triton_compiler.py", capability, tmp_path).splitlines()
    assert len(lines) == 35, lines
    spilled = [line for line in lines if int(line.split()[2]) > 0]
    assert not spilled, f"name, registers, bytes spilled: {spilled}"
    fullest = [line.split()[:2] for line in lines[-3:]]
    assert [name for name, _ in fullest] == ["window_sum", "window_scatter", "pair_products"]
    assert all(int(registers) <= 128 for _, registers in fullest), fullest


@needs_triton
def test_the_audit_finds_five_by_five_weights_in_128_registers_and_read_few_times() -> None:
    cases = "k5 y float32,k5 dw float32,k5 dz float32,points dz float32"
    lines = run(HERE.parent / "docs" / "cuda_audit.py", "--json", "--only", cases, "--jobs", "2").splitlines()
    *rows, points = (json.loads(line) for line in lines)
    assert [row["kernel"] for row in rows] == ["window_sum", "pair_products", "window_scatter"]
    for row, share in zip(rows, (0.6, 0.5, 0.5), strict=True):
        assert row["spilled"] == 0 and row["registers"] <= 128, row
        assert row["share"] >= share, row
        first, second = row["reads"][:2]  # of w (dw: of g) and of the map
        assert 0.5 < first <= 8, row
        assert second > 0.5, row
    # one row for all that the gradient in z at points takes; the last kernel finds the points sorted
    assert points["kernel"] == "points_count + points_place + points_rank + points_spread"
    assert points["spilled"] == 0 and points["reads"][0] > 0.5 and points["reads"][1] > 0.5, points


@needs_triton
@pytest.mark.parametrize("y_side", [None, 5])
@pytest.mark.parametrize("kinds", [(torch.bfloat16, torch.float32), (torch.float32, torch.bfloat16)], ids=str)
def test_the_affinity_s_gradients_take_a_map_of_one_type_and_kernels_of_another(
    kinds: tuple[torch.dtype, torch.dtype],
    y_side: int | None,
) -> None:
    from upsamplers.primitive.cuda import affinities

    call = as_types(factors(2, 4, 3, 2, 2, 6, 2, 2, True, y_side), *kinds)
    fresh = [one if one is None else one.double().requires_grad_() for one in call[:8]]
    leaves = [one for one in fresh if one is not None]
    a = PASSES["affinity"].definition(*fresh, *call[8:])
    g = noise(*a.shape).to(kinds[0])
    every = (*call, [one is not None for one in fresh])
    found = affinities.backward(g, *every)
    for ours, exact in zip(found, torch.autograd.grad(a, leaves, g.double()), strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=1e-4, atol=1e-4)


def test_importing_the_package_loads_no_kernel() -> None:
    # torch itself imports triton, where there is one: its FLOP counter does
    loaded = "[m for m in sys.modules if m.startswith('upsamplers.primitive.cuda.') and not m.endswith('.backend')]"
    run("-c", f"import sys, upsamplers; assert not {loaded}")


@needs_triton
def test_the_triton_backend_refuses_tensors_that_are_not_on_a_gpu() -> None:
    w, z = torch.rand(1, 1, 9, 4, 4), torch.rand(1, 1, 2, 2)
    with pytest.raises(ValueError, match="backend 'triton' runs on CUDA tensors; got cpu"):
        upsamplers.reassemble(w, z, scale=2, kernel_size=3, backend="triton")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (120, 120), (1, 4000), (4000, 1)])
def test_tiles_cover_the_map_within_their_lanes(height: int, width: int) -> None:
    cut = tiling.tiles(height, width, 128)
    assert cut.lanes <= 128
    assert cut.across * cut.width >= width
    assert cut.count // cut.across * cut.height >= height


@pytest.mark.parametrize("channels", [1, 3, 64, 1000])
@pytest.mark.parametrize("programs", [1, 120, 10**6])
def test_splits_of_the_channels_cover_each_channel_once(channels: int, programs: int) -> None:
    share = tiling.channel_splits(channels, 1, 16, programs)
    assert (share.splits - 1) * share.span < channels <= share.splits * share.span
    assert share.span % (share.unroll * share.lanes) == 0


def test_taps_too_many_for_the_registers_are_split_into_rows() -> None:
    room = tiling.HELD
    assert tiling.tap_split(5, 2, room) == (2, 5)
    assert tiling.tap_split(5, 4, room) == (1, 5)
    assert tiling.tap_split(9, 4, room) == (1, 1)
    for kernel_size, scale in ((5, 2), (5, 4), (9, 4), (7, 3)):
        phase_rows, tap_rows = tiling.tap_split(kernel_size, scale, room)
        assert phase_rows * scale * tap_rows * kernel_size <= room


@pytest.mark.parametrize("channels", [1, 3, 64, 256, 1000])
@pytest.mark.parametrize("programs", [1, 75, 120, 10**6])
def test_spans_of_the_channels_cover_each_channel_once_and_are_few(channels: int, programs: int) -> None:
    splits, span = tiling.channel_spans(channels, 1, programs, 128, 8)
    assert (splits - 1) * span < channels <= splits * span
    assert splits <= max(8, tiling.PROCESSORS // programs)
    assert splits == 1 or span >= 16


@pytest.mark.parametrize("steps", [1, 3, 64, 256, 1000])
@pytest.mark.parametrize("sets", [1, 75, 113, 528, 10**6])
def test_stretches_of_the_channels_cover_each_once_and_read_weights_few_times(steps: int, sets: int) -> None:
    row, span = tiling.stretches(sets, steps, 128, 128)
    programs = -(-sets * row // span)
    assert row >= steps
    if row % span:  # a stretch goes on in the next set
        assert row == steps and programs <= 4 * tiling.PROCESSORS
        assert sets + programs <= tiling.MOST_READ * sets
    else:
        assert row - steps < span
        assert programs <= sets * max(tiling.MOST_READ, tiling.PROCESSORS // sets)


def test_stretches_go_on_in_the_next_set_where_sets_alone_leave_processors_idle() -> None:
    assert tiling.stretches(113, 256, 128, 128) == (256, 55)
    assert tiling.stretches(132, 256, 128, 128) == (3 * 86, 86)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (120, 60), (1, 4000), (4000, 1)])
def test_tiles_that_go_on_in_the_next_rows_cover_the_map(height: int, width: int) -> None:
    cut = tiling.wrapped(height, width, 64, 8)
    assert cut.lanes <= 64 and cut.across == width
    assert cut.count * cut.width >= -(-height // cut.height) * width > (cut.count - 1) * cut.width


@needs_triton
def test_two_columns_share_a_thread_only_where_their_accesses_are_aligned_and_lie_inside_or_outside() -> None:
    from upsamplers.primitive.cuda.geometry import Window, sum_of
    from upsamplers.primitive.cuda.product_launches import products_of

    def zeros(*shape: int, offset: int = 0) -> torch.Tensor:
        return torch.zeros(torch.Size(shape).numel() + offset)[offset:].view(shape)

    def plans(w: torch.Tensor, z: torch.Tensor, border: str = "zero", start: int = -2) -> tuple[int, int, str]:
        size, window = (z.shape[2], z.shape[3]), Window(2, 5, 1, start, border)
        y = torch.zeros(z.shape[0], z.shape[1], 2 * size[0], 2 * size[1], dtype=z.dtype)
        if z.stride(1) == 1:
            y = y.contiguous(memory_format=torch.channels_last)
        forward = sum_of(w, z, y, size, window, False).constants
        products, _ = products_of(y, z, w, size, window, False)
        return forward["COLUMNS"], forward["TOGETHER"], products.kernel.fn.__name__

    w, z = zeros(1, 1, 25, 24, 32), zeros(1, 4, 12, 16)
    alone = (1, 2, "window_products")
    assert plans(w, z) == (2, 4, "pair_products")
    assert plans(w, zeros(*z.shape, offset=2)) == (2, 4, "pair_products")
    assert plans(zeros(*w.shape, offset=2), z) == (2, 2, "window_products")
    assert plans(zeros(*w.shape, offset=1), z) == (2, 1, "window_products")
    assert plans(w, zeros(*z.shape, offset=1)) == alone
    assert plans(w, torch.zeros(1, 4, 12, 17)[..., :-1]) == alone
    assert plans(w, z, "replicate") == alone
    assert plans(w, z, start=-1) == alone
    assert plans(w[..., :26].contiguous(), z[..., :13].contiguous()) == alone
    assert plans(w, z.contiguous(memory_format=torch.channels_last))[0] == 1
    assert plans(w.double(), z.double())[0] == 1
