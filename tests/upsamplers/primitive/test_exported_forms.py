"""What an exported program holds in place of the primitives gives what the definition gives, at every shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import upsamplers
from upsamplers import reference
from upsamplers.fused import pooling
from upsamplers.primitive import sampled_rows, tiled
from upsamplers.softmax import softmax

SHAPES = [
    # batch of w, batch, groups, channels, height, width, scale, kernel size
    (2, 2, 1, 16, 3, 5, 2, 3),
    (1, 2, 2, 32, 4, 8, 2, 5),
    (1, 1, 1, 3, 1, 1, 2, 5),
    (2, 2, 4, 8, 2, 17, 3, 3),
    (1, 1, 1, 4, 3, 9, 4, 1),
    (1, 1, 1, 4, 6, 11, 2, 11),
]


@pytest.mark.parametrize("border", ["zero", "replicate"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_tiles_of_a_row_give_wz_and_its_correlation(shape: tuple[int, ...], border: str) -> None:
    own, batch, groups, channels, height, width, scale, k = shape
    w = torch.randn(own, groups, k * k, scale * height, scale * width, dtype=torch.float64)
    z = torch.randn(batch, channels, height, width, dtype=torch.float64)
    g = torch.randn(batch, channels, scale * height, scale * width, dtype=torch.float64)
    expected = reference.reassemble(w, z, scale=scale, kernel_size=k, border=border)
    assert_close(tiled.reassemble(w, z, scale, k, border), expected)
    met = upsamplers.correlate(g, z, groups=groups, scale=scale, kernel_size=k, border=border)
    assert_close(tiled.correlate(g, z, groups, scale, k, border), met)


@pytest.mark.parametrize("border", ["zero", "replicate"])
@pytest.mark.parametrize("points_axis", [(), (3,)], ids=["one", "three"])
def test_rows_of_channels_give_wz_and_its_correlation_at_points(points_axis: tuple[int, ...], border: str) -> None:
    batch, groups, height, width, scale = 2, 3, 4, 5, 2
    taps = 4 * (points_axis[0] if points_axis else 1)
    points = 6 * torch.rand(batch, groups, *points_axis, 2, scale * height, scale * width, dtype=torch.float64) - 1
    w = torch.randn(1, groups, taps, scale * height, scale * width, dtype=torch.float64)
    z = torch.randn(batch, 6, height, width, dtype=torch.float64)
    g = torch.randn(batch, 6, scale * height, scale * width, dtype=torch.float64)
    expected = upsamplers.reassemble(w, z, scale=scale, kernel_size=2, border=border, points=points)
    assert_close(sampled_rows.reassemble(w, z, points, border), expected)
    leaf = torch.zeros(batch, groups, taps, scale * height, scale * width, dtype=torch.float64, requires_grad=True)
    up = upsamplers.reassemble(leaf, z, scale=scale, kernel_size=2, border=border, points=points)
    (met,) = torch.autograd.grad(up, leaf, g)
    assert_close(sampled_rows.correlate(g, z, points, border), met)


class Around(nn.Module):
    """What operators have around the primitives: softmax over taps, with one that is masked out, and pooled cells."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        masked = x.masked_fill(torch.arange(x.shape[1]).view(1, -1, 1, 1) == 1, float("-inf"))
        return softmax(masked, 1), pooling.means(x, 4)


def test_softmax_and_pooled_cells_are_written_out_with_the_same_values() -> None:
    x = 30 * torch.randn(2, 5, 7, 9)
    program = torch.export.export(Around(), (x,))
    names = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not any("softmax" in name or "adaptive" in name for name in names)
    assert_close(program.module()(x), Around()(x))


def test_the_form_is_chosen_by_what_pays_and_never_for_symbols() -> None:
    size = torch.export.Dim.DYNAMIC
    op = upsamplers.create("carafe", channels=32).eval()
    z = torch.randn(1, 32, 6, 6)

    def products(program: torch.export.ExportedProgram) -> int:
        return sum("matmul" in str(node.target) for node in program.graph.nodes)

    assert products(torch.export.export(op, (z,))) == 1
    free = {"z": {2: size, 3: size}, "guide": None}
    assert products(torch.export.export(op, (z,), {"guide": None}, dynamic_shapes=free)) == 0
    few = upsamplers.create("carafe", channels=32, groups=8).eval()
    assert products(torch.export.export(few, (z,))) == 0
