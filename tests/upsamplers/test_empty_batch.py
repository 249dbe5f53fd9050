"""A batch of nothing, as a mask head without boxes has it: forward, backward and the twin, in training and in use."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import upsamplers
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant
from upsamplers.registry import operator_class

VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variant in upsamplers.facts(name).variants
]


def built(name: str, variant: Variant, scale: int, **options: object) -> Upsampler:
    op = testing.build(operator_class(name), {**variant.options, **options}, scale)
    assert op is not None
    return op


def check(y: Tensor, shape: tuple[int, ...], leaves: list[Tensor]) -> None:
    """y is empty, has this shape, and its gradients have the shapes of what they are of."""
    assert y.shape == shape
    y.sum().backward()
    for leaf in leaves:
        assert leaf.grad is None or (leaf.grad.shape == leaf.shape and not leaf.grad.any())
        leaf.grad = None


@pytest.mark.parametrize("train", [False, True], ids=["in_use", "in_training"])
@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_an_empty_batch_is_upsampled_to_an_empty_one(name: str, variant: Variant, train: bool) -> None:
    facts = upsamplers.facts(name)
    for scale in {2, *facts.scales[:1]} if facts.scales else (1, 2, 3):
        op = built(name, variant, scale).train(train)
        z, guide = (None if x is None else x[:0].requires_grad_() for x in testing.inputs(op))
        assert z is not None
        shape = (0, op.channels, z.shape[2] * scale, z.shape[3] * scale)
        leaves = [z, *op.parameters(), *([] if guide is None else [guide])]
        check(op(z, guide), shape, leaves)
        check(upsamplers.Upsampler.forward(op, z, guide), shape, leaves)  # by its kernels, where it has a native path
        if facts.guide == "optional":
            check(op(z), shape, leaves)


@pytest.mark.parametrize("train", [False, True], ids=["in_use", "in_training"])
@pytest.mark.parametrize(("name", "variant"), [one for one in VARIANTS if upsamplers.facts(str(one.values[0])).twin])
def test_an_empty_batch_is_downsampled_to_an_empty_one(name: str, variant: Variant, train: bool) -> None:
    op = built(name, variant, 2, twin=True).train(train)
    guide = torch.randn(0, op.guide_channels, 10, 6, dtype=torch.float64, requires_grad=True)
    leaves = [guide, *op.parameters()]
    check(op.downsample(guide), (0, op.guide_channels, 5, 3), leaves)
    check(upsamplers.Upsampler.downsample(op, guide), (0, op.guide_channels, 5, 3), leaves)
    half, kernels = op.halve(guide)
    check(half, (0, op.guide_channels, 5, 3), leaves)
    if kernels is not None:
        z = torch.randn(0, op.channels, 5, 3, dtype=torch.float64, requires_grad=True)
        check(op.assemble(op.halve(guide)[1], z, guide), (0, op.channels, 10, 6), [z, *leaves])


@pytest.mark.parametrize("name", upsamplers.names())
def test_a_float32_module_keeps_the_dtype_of_an_empty_batch(name: str) -> None:
    op = built(name, upsamplers.facts(name).variants[0], 2).float()
    z, guide = (None if x is None else x[:0].float() for x in testing.inputs(op))
    with torch.no_grad():
        assert op(z, guide).dtype == torch.float32
