"""DLU against the published code's numbers, its formula by grid_sample, and its costs."""

from __future__ import annotations

import pytest
import torch
from golden_agreement import assert_agrees, leaves
from golden_files import cases, load
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import testing


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("case", cases("dlu"))
def test_outputs_kernels_and_gradients_are_the_published_code_s(case: str, training: bool) -> None:
    golden = load(case)
    op = upsamplers.from_official("dlu", golden.state).train(training)
    assert (op.scale, op.kernel_size) == (golden.hyper["scale_factor"], golden.hyper["up_kernel"])
    inputs = leaves(golden)
    outputs = {"mask": op.weights(inputs["x"]).squeeze(1), "out": op(inputs["x"])}
    assert_agrees(golden, op, inputs, outputs)


@pytest.mark.parametrize(("scale", "params", "macs"), [(2, 35_489, 61_392), (4, 49_337, None), (16, 326_297, None)])
def test_params_and_macs_are_the_formulas(scale: int, params: int, macs: int | None) -> None:
    op = upsamplers.create("dlu", channels=256, scale=scale)
    assert sum(parameter.numel() for parameter in op.parameters()) == params
    assert macs is None or op.macs(3, 5) == 15 * macs
    assert op.macs(1, 1) == 64 * 256 + 9 * 64 * (25 + 2 * scale**2) + 100 * scale**2 + 25 * scale**2 * 256


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_kernels_are_a_space_that_grid_sample_reads(scale: int, kernel_size: int) -> None:
    op = testing.build(type(upsamplers.create("dlu", channels=8)), {"kernel_size": kernel_size}, scale)
    assert op is not None
    with torch.no_grad():
        op.get_parameter("offset.weight").mul_(20)  # far enough to leave the map
    z, _ = testing.inputs(op)
    layers = dict(op.named_children())
    compressed = layers["compressor"](z)
    space = layers["space"](compressed).softmax(1)
    offset = functional.pixel_shuffle(layers["offset"](compressed), scale)
    height, width = z.shape[-2:]
    x = offset[:, 0] + torch.arange(width).repeat_interleave(scale)
    y = offset[:, 1] + torch.arange(height).repeat_interleave(scale)[:, None]
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
    expected = functional.grid_sample(space, grid, padding_mode="border", align_corners=True)
    assert_close(op.weights(z).squeeze(1), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 1)])
def test_on_a_map_of_one_row_or_column_the_kernels_are_those_of_the_map_repeated_along_it(
    size: tuple[int, int],
) -> None:
    """The limit: reading a side of one where every position is the same value, as on a longer side that is constant."""
    torch.manual_seed(0)
    op = upsamplers.create("dlu", channels=8, encoder_kernel_size=1).double().eval()
    torch.nn.init.normal_(op.get_parameter("offset.weight"))
    z = torch.randn(1, 8, *size, dtype=torch.float64)
    longer = z.expand(-1, -1, *(7 if side == 1 else side for side in size))  # a 1×1 encoder sees no difference
    rows, columns = (slice(6, 8) if side == 1 else slice(None) for side in size)
    assert_close(op.weights(z), op.weights(longer)[..., rows, columns])
    assert_close(op.weights(z).sum(2), torch.ones(1, 1, 2 * size[0], 2 * size[1], dtype=torch.float64))


def test_at_first_every_phase_of_a_pixel_has_its_kernel() -> None:
    op = upsamplers.create("dlu", channels=8, scale=3).double()
    w = op.weights(torch.randn(2, 8, 4, 5, dtype=torch.float64))
    assert_close(w, w[..., ::3, ::3].repeat_interleave(3, -1).repeat_interleave(3, -2))
    assert_close(w.sum(2), torch.ones_like(w[:, :, 0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_keep_coordinates_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    op = upsamplers.create("dlu", channels=4, kernel_size=1, scale=3).eval()
    w = op.to(dtype).weights(torch.randn(1, 4, 1, 3000).to(dtype))
    assert w.dtype == dtype
    assert_close(w, torch.ones_like(w), rtol=0, atol=2 * torch.finfo(dtype).eps)


def test_what_cannot_be_is_answered_in_one_line() -> None:
    for option, value in (("kernel_size", 2), ("encoder_kernel_size", 4)):
        with pytest.raises(upsamplers.OptionError, match=f"dlu: {option}={value} is out of range; allowed: an odd"):
            upsamplers.create("dlu", channels=8, **{option: value})
    with pytest.raises(upsamplers.OptionError, match="compressed_channels=0 is out of range"):
        upsamplers.create("dlu", channels=8, compressed_channels=0)
    state = dict(load("dlu/s2_k5_tiny").state)
    with pytest.raises(ValueError, match="scale=3 was given, but the state dict has scale=2"):
        upsamplers.from_official("dlu", state, scale=3)
    for key in ("conv_offset.weight", "kernel_space_generator.weight"):
        with pytest.raises(ValueError, match=rf"'{key}' is .*: 7 outputs are of no scale and kernel"):
            upsamplers.from_official("dlu", {**state, key: state[key][:7]})
