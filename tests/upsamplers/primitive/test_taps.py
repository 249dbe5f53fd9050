"""Tap tables: the regular window is one of them, any other reads what it says, and wrong ones are refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import upsamplers
from upsamplers import Taps, correlate, reassemble, reference
from upsamplers.primitive.taps import crossed, products, runs

SEED = torch.Generator().manual_seed(0)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=SEED)


def tables(height: int, width: int, out: tuple[int, int], taps: int, nothing: bool) -> Taps:
    """Tables of positions by chance, some of them −1 where `nothing`."""
    least = -1 if nothing else 0
    return Taps.of(
        torch.randint(least, height, (out[0], taps), generator=SEED),
        torch.randint(least, width, (out[1], taps), generator=SEED),
    )


@pytest.mark.parametrize("border", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize(("scale", "kernel_size"), list(itertools.product((1, 2, 3), (1, 3, 5))))
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (2, 6)])
def test_the_regular_window_is_a_table(border: str, scale: int, kernel_size: int, size: tuple[int, int]) -> None:
    z, w = random(2, 4, *size), random(2, 2, kernel_size**2, scale * size[0], scale * size[1])
    taps = Taps.window(size, scale, kernel_size, border)
    expected = reference.reassemble(w, z, scale=scale, kernel_size=kernel_size, border=border)
    assert_close(reference.reassemble(w, z, taps=taps), expected)
    assert_close(reassemble(w, z, taps=taps), expected)
    g = random(2, 4, *w.shape[3:])
    assert_close(
        correlate(g, z, groups=2, taps=taps),
        correlate(g, z, groups=2, scale=scale, kernel_size=kernel_size, border=border),
    )


@pytest.mark.parametrize("nothing", [False, True])
@pytest.mark.parametrize(("groups", "batch"), [(1, 1), (2, 2), (4, 2)])
def test_any_table_gives_the_reference_s_numbers_and_derivatives(nothing: bool, groups: int, batch: int) -> None:
    z = random(2, 4, 5, 3).requires_grad_()
    w = random(batch, groups, 6, 7, 8).requires_grad_()
    taps = tables(5, 3, (7, 8), 6, nothing)
    found, expected = reassemble(w, z, taps=taps), reference.reassemble(w, z, taps=taps)
    assert_close(found, expected)
    g = random(*found.shape)
    for ours, theirs in zip(*(torch.autograd.grad(y, (w, z), g) for y in (found, expected)), strict=True):
        assert_close(ours, theirs)
    w_full = w if batch == 2 else w.expand(2, -1, -1, -1, -1)
    assert_close((correlate(g, z, groups=groups, taps=taps) * w_full).sum(), (g * found).sum())
    assert torch.autograd.gradcheck(lambda w, z: reassemble(w, z, taps=taps), (w, z), fast_mode=True)


def test_runs_of_several_lengths_are_parted_where_that_costs_less() -> None:
    border = ((0, 1),) * 12 + ((1, 2),) * 4 + ((2, 3),) * 4
    found = runs(border)
    assert found.size == (5, 4) and found.regular  # three parts of four, then one and one
    assert runs(((0,),) * 448).size == (1, 448)
    assert runs(((0,),) * 8 + ((1,),) * 7).size == (2, 8)


def test_equal_windows_are_one_product_and_unequal_ones_are_padded() -> None:
    by_four = tuple((i // 4, i // 4 + 1) for i in range(12))
    uneven = ((0, 1),) * 3 + ((1, 2),) * 2
    assert products(Taps(*crossed(by_four, by_four))) == 12 * 12 * 4
    assert products(Taps(*crossed(uneven, by_four))) == 6 * 12 * 4
    z, taps = random(1, 2, 4, 4), Taps(*crossed(uneven, by_four))
    w = random(1, 1, 4, 5, 12)
    assert_close(reassemble(w, z, taps=taps), reference.reassemble(w, z, taps=taps))


def test_half_types_and_layouts_are_kept() -> None:
    taps = tables(5, 3, (7, 8), 6, True)
    z, w = random(1, 4, 5, 3), random(1, 2, 6, 7, 8)
    exact = reassemble(w, z, taps=taps)
    for dtype in (torch.bfloat16, torch.float16):
        low = reassemble(w.to(dtype), z.to(dtype), taps=taps)
        assert low.dtype == dtype
        assert_close(low.double(), exact, rtol=0.05, atol=0.1)
        assert reassemble(w.float(), z.to(dtype), taps=taps).dtype == torch.float32
    last = z.contiguous(memory_format=torch.channels_last)
    assert reassemble(w, last, taps=taps).is_contiguous(memory_format=torch.channels_last)
    assert_close(reassemble(w, last, taps=taps), exact)


def test_tables_that_cannot_be_are_refused_in_one_line() -> None:
    z, w = random(1, 4, 5, 3), random(1, 2, 6, 7, 8)
    taps = tables(5, 3, (7, 8), 6, False)
    for arguments, said in (
        ({"w": w[:, :, :5]}, r"reassemble: w must be \[B or 1, G, 6, 7, 8\] by its taps; got \(1, 2, 5, 7, 8\)"),
        ({"scale": 2}, "reassemble: taps stand in place of scale"),
        ({"backend": "numba"}, "reassemble: taps stand in place of scale"),
        ({"z": z[..., :2]}, r"reassemble: taps read beyond z \(1, 4, 5, 2\)"),
        ({"z": z[:, :3]}, "reassemble: G must divide C; got G=2, C=3"),
        ({"z": z[0]}, r"reassemble: the map must be \[B, C, h, w\]"),
    ):
        with pytest.raises(ValueError, match=said):
            reassemble(**({"w": w, "z": z, "taps": taps} | arguments))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"correlate: g must be \(1, 4, 7, 8\) by its taps"):
        correlate(z, z, taps=taps)
    wrong: list[Any] = [[[0, 1], [0]], [[]], [[0.5]], [0]]
    for rows in wrong:
        with pytest.raises(ValueError, match="taps: rows"):
            Taps.of(rows, [[0, 1]] * 3)
    with pytest.raises(ValueError, match="scale must be an integer >= 1; got 0"):
        reassemble(w, z)


def test_a_compiled_and_an_exported_program_hold_the_tables() -> None:
    taps = tables(5, 3, (7, 8), 6, True)

    class Reads(torch.nn.Module):
        def forward(self, w: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return upsamplers.reassemble(w, z, taps=taps)

    z, w = random(1, 4, 5, 3), random(1, 2, 6, 7, 8)
    torch._dynamo.reset()
    compiled = torch.compile(Reads(), fullgraph=True, backend="aot_eager")
    assert_close(compiled(w, z), Reads()(w, z))
    program = torch.export.export(Reads(), (w, z))
    assert_close(program.module()(w, z), Reads()(w, z))
