"""wᵀz of kernels that are a product: against the reference, its derivatives of every kind, and both backends."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from upsamplers import reference
from upsamplers.primitive import ENVIRONMENT, products
from upsamplers.primitive.dilated import gathered, scattered
from upsamplers.primitive.products import reassemble_product

SIZES = [(1, 1), (1, 4), (5, 3)]


def given(heads: int = 2, scale: int = 2, k: int = 3, size: tuple[int, int] = (4, 3)) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    height, width = size
    shapes = ((2, heads, k * k, scale * height, scale * width), (2, 4, k * k, scale, scale), (2, 4, height, width))
    a, c, z = (torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return a, c, z


def by_reference(scale: int, k: int, a: Tensor, c: Tensor, z: Tensor) -> Tensor:
    w = a.repeat_interleave(4 // a.shape[1], 1) * c.repeat(1, 1, 1, *z.shape[2:])
    return reference.reassemble(w, z, scale=scale, kernel_size=k)


@pytest.mark.parametrize("backend", ["eager", "numba"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_the_reference_s(
    heads: int, scale: int, k: int, size: tuple[int, int], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, backend)
    leaves = [tensor.requires_grad_() for tensor in given(heads, scale, k, size)]
    expected = by_reference(scale, k, *leaves)
    found = reassemble_product(*leaves, scale=scale, kernel_size=k)
    assert_close(found, expected)
    over = torch.randn_like(expected)
    for ours, theirs in zip(
        torch.autograd.grad(found, leaves, over), torch.autograd.grad(expected, leaves, over), strict=True
    ):
        assert_close(ours, theirs)


@pytest.mark.parametrize("block", [1, 1 << 30])
def test_derivatives_of_both_orders_are_finite_differences_however_it_is_cut(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "BLOCK", block)
    leaves = [tensor.requires_grad_() for tensor in given(size=(2, 2))]

    def function(a: Tensor, c: Tensor, z: Tensor) -> Tensor:
        return reassemble_product(a, c, z, scale=2, kernel_size=3)

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def test_functional_and_forward_derivatives_and_vmap_are_those_of_autograd() -> None:
    tensors = given()

    def loss(a: Tensor, c: Tensor, z: Tensor) -> Tensor:
        return reassemble_product(a, c, z, scale=2, kernel_size=3).square().sum()

    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    expected = torch.autograd.grad(loss(*leaves), leaves)
    for ours, theirs in zip(torch.func.grad(loss, (0, 1, 2))(*tensors), expected, strict=True):
        assert_close(ours, theirs)
    many = [torch.stack([tensor, tensor.flip(0)]) for tensor in tensors]
    one_by_one = [reassemble_product(*pair, scale=2, kernel_size=3) for pair in zip(*many, strict=True)]
    over = torch.vmap(lambda a, c, z: reassemble_product(a, c, z, scale=2, kernel_size=3))(*many)
    assert_close(over, torch.stack(one_by_one))
    slopes = torch.vmap(torch.func.grad(loss))(*many)
    assert_close(slopes[0], expected[0])


def test_half_types_are_summed_in_float32_and_channels_last_stays() -> None:
    a, c, z = (tensor.to(torch.bfloat16) for tensor in given(size=(6, 5)))
    up = reassemble_product(a, c, z.contiguous(memory_format=torch.channels_last), scale=2, kernel_size=3)
    assert up.dtype == torch.bfloat16 and up.is_contiguous(memory_format=torch.channels_last)
    exact = by_reference(2, 3, a.double(), c.double(), z.double())
    assert float((up.double() - exact).abs().max()) < 0.1


@pytest.mark.parametrize("plain", [False, True], ids=["primitive", "written_out"])
@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_taps_may_lie_apart(
    size: tuple[int, int], dilation: int, added: bool, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, c, z = given(size=size)
    read = functional.unfold(z, 3, padding=dilation, dilation=dilation).view(2, 4, 9, *size)
    of_points, of_channels = a.repeat_interleave(2, 1), c.repeat(1, 1, 1, *size)
    w = of_points + of_channels if added else of_points * of_channels
    expected = (w * read.repeat_interleave(2, -1).repeat_interleave(2, -2)).sum(2)
    monkeypatch.setattr(products, "is_written_out", lambda backend: plain)
    assert_close(reassemble_product(a, c, z, scale=2, kernel_size=3, dilation=dilation, added=added), expected)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_pixels_apart_are_gathered_and_scattered_back(size: tuple[int, int], dilation: int, scale: int) -> None:
    height, width = (scale * side for side in size)
    x = torch.randn(2, 3, height, width)
    apart = gathered(x, dilation, scale)
    assert apart.shape == (2 * dilation**2, 3, *(scale * -(-side // dilation) for side in size))
    assert torch.equal(scattered(apart, dilation, scale, height, width), x)
    assert torch.equal(gathered(x.unsqueeze(1), dilation, scale).squeeze(1), apart)
    if scale == 1:
        assert torch.equal(apart[0, :, 0], functional.pad(x, (0, -width % dilation))[0, :, 0, ::dilation])
