"""P points an output: against the reference, one at a time, in every backend, its derivatives, and one as before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from upsamplers import correlate, reassemble, reference
from upsamplers.primitive import ENVIRONMENT
from upsamplers.primitive.similarities import sampled_similarities

BACKENDS = ["eager", "numba"]
BORDERS = ["zero", "replicate", "reflect"]


def given(
    samples: int, groups: int = 2, scale: int = 2, size: tuple[int, int] = (4, 3)
) -> tuple[Tensor, Tensor, Tensor]:
    """w [2, G, 4P, sH, sW], z [2, 4, H, W] and points [2, G, P, 2, sH, sW] in the map and far outside."""
    generator = torch.Generator().manual_seed(samples + 10 * groups)
    high = (scale * size[0], scale * size[1])
    shapes = ((2, groups, 4 * samples, *high), (2, 4, *size), (2, groups, samples, 2, *high))
    w, z, points = (torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return w, z, 3 * points + 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("samples", [1, 2, 9])
@pytest.mark.parametrize(("groups", "scale", "size"), [(1, 1, (1, 1)), (2, 2, (4, 3)), (4, 3, (1, 5))])
def test_values_and_derivatives_are_the_reference_s(
    backend: str, border: str, samples: int, groups: int, scale: int, size: tuple[int, int]
) -> None:
    w, z, points = given(samples, groups, scale, size)
    leaves = [w.requires_grad_(), z.requires_grad_()]
    options = {"scale": scale, "kernel_size": 2, "border": border, "points": points}
    expected = reference.reassemble(*leaves, **options)  # type: ignore[arg-type]
    found = reassemble(*leaves, **options, backend=backend)  # type: ignore[arg-type]
    assert_close(found, expected)
    over = torch.randn_like(expected)
    ours, theirs = (torch.autograd.grad(y, leaves, over) for y in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_one_point_with_an_axis_is_one_point_without_to_the_bit(
    backend: str, dtype: torch.dtype, layout: torch.memory_format
) -> None:
    w, z, points = (x.to(dtype) for x in given(1, size=(7, 9)))
    z = z.contiguous(memory_format=layout)
    leaves = [w.requires_grad_(), z.requires_grad_()]
    up = [
        reassemble(*leaves, scale=2, kernel_size=2, points=at.float(), backend=backend)
        for at in (points, points.squeeze(2))
    ]
    assert torch.equal(*up) and up[0].is_contiguous(memory_format=layout)
    over = torch.randn_like(up[0])
    for ours, theirs in zip(*(torch.autograd.grad(y, leaves, over) for y in up), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("backend", BACKENDS)
def test_kernels_of_one_batch_are_shared(backend: str) -> None:
    w, z, points = given(3)
    shared = w[:1].requires_grad_()
    options = {"scale": 2, "kernel_size": 2, "points": points}
    found = reassemble(shared, z, **options, backend=backend)  # type: ignore[arg-type]
    assert_close(found, reassemble(shared.expand_as(w), z, **options))  # type: ignore[arg-type]
    over = torch.randn_like(found)
    wide = w[:1].detach().expand_as(w).clone().requires_grad_()
    by_each = torch.autograd.grad(reassemble(wide, z, **options), wide, over)[0]  # type: ignore[arg-type]
    assert_close(torch.autograd.grad(found, shared, over)[0], by_each.sum(0, keepdim=True))


def test_derivatives_of_both_orders_are_finite_differences() -> None:
    w, z, points = given(2, size=(2, 2))
    leaves = (w.requires_grad_(), z.requires_grad_())

    def function(w: Tensor, z: Tensor) -> Tensor:
        return reassemble(w, z, scale=2, kernel_size=2, points=points)

    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def test_shapes_that_do_not_fit_are_told() -> None:
    w, z, points = given(3)
    for wrong, said in ((points[:, :, :2], "w must have 4 taps per point"), (points[:, :1], "points must be")):
        with pytest.raises(ValueError, match=f"reassemble: {said}"):
            reassemble(w, z, scale=2, kernel_size=2, points=wrong)
    with pytest.raises(ValueError, match="points must be"):
        reassemble(w, z, scale=2, kernel_size=2, points=points.unsqueeze(2))


def sampled(samples: int = 3, groups: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """q, corner weights, keys, bias and points."""
    generator = torch.Generator().manual_seed(7)
    shapes = (
        (2, 4, 8, 6), (2, groups, samples, 4, 8, 6), (2, 4, 4, 3), (groups, samples, 4 // groups),
        (2, groups, samples, 2, 8, 6),
    )  # fmt: skip
    q, m, k, bias, points = (torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return q, m, k, bias, 2 * points + 1


def by_points(q: Tensor, m: Tensor, k: Tensor, bias: Tensor, points: Tensor) -> Tensor:
    """The keys read at each point in turn, then their products."""
    groups, samples = points.shape[1:3]
    found = []
    for p in range(samples):
        keys = reassemble(m[:, :, p], k, scale=2, kernel_size=2, points=points[:, :, p])
        keys = keys + bias[:, p].flatten()[:, None, None]
        found.append(correlate(q, keys, groups=groups, scale=1, kernel_size=1))
    return torch.cat(found, 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_similarities_are_products_with_keys_that_were_read(
    groups: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, backend)
    *tensors, points = sampled(groups=groups)
    leaves = [tensor.requires_grad_() for tensor in tensors]
    q, m, k, bias = leaves
    found = sampled_similarities(q, k, points, m, scale=2, bias=bias)
    expected = by_points(q, m, k, bias, points)
    assert_close(found, expected)
    over = torch.randn_like(found)
    ours, theirs = (torch.autograd.grad(y, leaves, over) for y in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b)
    assert_close(sampled_similarities(q, k, points, m, scale=2), by_points(q, m, k, 0 * bias, points))


def test_similarities_have_derivatives_of_every_kind() -> None:
    *tensors, points = sampled(samples=2)

    def function(q: Tensor, m: Tensor, k: Tensor, bias: Tensor) -> Tensor:
        return sampled_similarities(q, k, points, m, scale=2, bias=bias)

    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)

    def loss(*tensors: Tensor) -> Tensor:
        return function(*tensors).square().sum()

    expected = torch.autograd.grad(loss(*leaves), leaves)
    for ours, theirs in zip(torch.func.grad(loss, (0, 1, 2, 3))(*tensors), expected, strict=True):
        assert_close(ours, theirs)
    many = [torch.stack([tensor, tensor.flip(-1)]) for tensor in tensors]
    assert_close(torch.vmap(function)(*many), torch.stack([function(*one) for one in zip(*many, strict=True)]))
    assert_close(torch.vmap(torch.func.grad(loss))(*many)[0], expected[0])


def test_the_work_of_similarities_is_four_for_a_key_and_one_for_its_product() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    q, m, k, _, points = sampled()
    with FlopCounterMode(display=False) as counter:
        sampled_similarities(q, k, points, m, scale=2)
    assert counter.get_total_flops() == 2 * 5 * q.numel() * 3
