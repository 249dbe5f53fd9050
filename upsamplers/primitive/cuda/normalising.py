"""Launches the kernels that make w of logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.cuda import launch, tiling
from upsamplers.primitive.cuda.launch import Launch, arithmetic, blank_map
from upsamplers.primitive.cuda.softmax import gradient_of_logits, kernels_of_logits


def _run(
    kernel: Any, maps: tuple[Tensor, ...], w: Tensor, phases: int, repeat: int, taps_first: bool, factor: float,
    sigmoid: bool, softmax: bool, low: bool,
) -> None:  # fmt: skip
    batch, groups, taps, high, wide = w.shape
    tiles = -(-high * wide // tiling.THREADS)
    plan = Launch(
        kernel,
        tiles * batch * groups,
        tiling.THREADS,
        (*(one.stride() for one in maps), repeat, high, wide, groups, taps, tiles, factor),
        {
            "P": phases,
            "LOW": low,
            "TAPS_FIRST": taps_first,
            "SIGMOID": sigmoid,
            "SOFTMAX": softmax,
            "PIXELS": tiling.THREADS,
            "ACC": arithmetic(w.dtype),
        },
    )
    launch.launch(plan, maps[0].device, *maps)


def forward(
    logits: Tensor, low: Tensor | None, phases: int, repeat: int, groups: int, taps_first: bool, factor: float,
    sigmoid: bool, softmax: bool,
) -> Tensor:  # fmt: skip
    """w [B, G, K, p·H, p·W]."""
    batch, rows, height, width = logits.shape
    w = logits.new_empty(batch, groups, rows // (phases**2 * groups), phases * height, phases * width)
    maps = (logits, logits if low is None else low, w)
    _run(kernels_of_logits, maps, w, phases, repeat, taps_first, factor, sigmoid, softmax, low is not None)
    return w


def backward(
    g: Tensor, logits: Tensor, low: Tensor | None, phases: int, repeat: int, groups: int, taps_first: bool,
    factor: float, sigmoid: bool, softmax: bool, needs: list[bool],
) -> list[Tensor]:  # fmt: skip
    """The gradients in the logits and in the map of lower resolution, of those that are needed."""
    out = blank_map(logits, logits.shape[1], logits.shape[2], logits.shape[3], logits.dtype)
    maps = (g, logits, logits if low is None else low, out)
    _run(gradient_of_logits, maps, g, phases, repeat, taps_first, factor, sigmoid, softmax, low is not None)
    found = [out] if needs[0] else []
    if needs[1]:  # a pixel stands for r×r of the result's
        assert low is not None and phases == 1
        blocks = out.unflatten(-1, (-1, repeat)).unflatten(-3, (-1, repeat))
        found.append(blocks.sum((-3, -1), dtype=torch.promote_types(out.dtype, torch.float32)).to(low.dtype))
    return found
