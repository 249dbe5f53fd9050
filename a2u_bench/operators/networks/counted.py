"""Counts a network as published figures of whole networks were counted: MMCV's counter of layers, line by line.

A multiply-add of a convolution or a linear layer is one; the bias of a convolution is one for each element, that of a
linear layer nothing; BatchNorm is two for each element, ReLU one, pooling one for each element that it reads. Other
norms and activations, interpolation and whatever is called as a function are not counted. Products of two feature maps,
as in attention, are a line of their own, for authors who add them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

CONVOLUTIONS = "multiply-adds of convolutions"
LINEAR = "multiply-adds of linear layers, without their biases"
PRODUCTS = "multiply-adds of products in attention"
BIASES = "biases of convolutions, 1 for each element"
NORMS = "BatchNorm, 2 for each element"
RELU = "ReLU, 1 for each element"
POOLING = "pooling, 1 for each element that it reads"


@dataclass(frozen=True)
class CountedPart:
    """One part of a count, and what it is."""

    what: str
    count: int


def work(network: nn.Module, *inputs: Tensor) -> list[CountedPart]:
    """What the counter of layers makes of one forward, in its own units, without lines of nothing."""
    found: Counter[str] = Counter()

    def see(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        found.update(dict(_of_layer(layer, given[0], made)))

    handles = [layer.register_forward_hook(see) for layer in network.modules() if not list(layer.children())]
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as seen:
            network(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    counted: dict[Any, int] = seen.get_flop_counts()["Global"]
    found[PRODUCTS] = sum(flops // 2 for call, flops in counted.items() if call in MATRIX_PRODUCTS)
    order = (CONVOLUTIONS, LINEAR, PRODUCTS, BIASES, NORMS, RELU, POOLING)
    return [CountedPart(what, found[what]) for what in order if found[what]]


MATRIX_PRODUCTS = (torch.ops.aten.bmm, torch.ops.aten.baddbmm)
"""By which the products of two feature maps reach torch; layers call others."""


def _of_layer(layer: nn.Module, given: Tensor, made: Tensor) -> Iterator[tuple[str, int]]:
    if isinstance(layer, nn.Conv2d):
        yield CONVOLUTIONS, made.numel() * layer.weight[0].numel()
        if layer.bias is not None:
            yield BIASES, made.numel()
    elif isinstance(layer, nn.Linear):
        yield LINEAR, made.numel() * layer.in_features
    elif isinstance(layer, nn.BatchNorm2d):
        yield NORMS, 2 * given.numel()
    elif isinstance(layer, nn.ReLU):
        yield RELU, made.numel()
    elif isinstance(layer, nn.MaxPool2d):
        yield POOLING, given.numel()
