"""Launches the kernels of a gate between two maps."""

from __future__ import annotations

import torch
from torch import Tensor

from upsamplers.primitive.cuda import launch, tiling
from upsamplers.primitive.cuda.gate import blend, blend_gradients
from upsamplers.primitive.cuda.launch import Launch, arithmetic, blank_map


def forward(up: Tensor, guide: Tensor, logits: Tensor, scale: int) -> Tensor:
    """gate·guide + (1 − gate)·up."""
    batch, channels, high, wide = up.shape
    kind = torch.promote_types(torch.promote_types(up.dtype, guide.dtype), logits.dtype)
    out = blank_map(up, channels, high, wide, kind)
    tiles = -(-high * wide // tiling.THREADS)
    share = tiling.channel_splits(channels, 1, 4, tiles * batch)
    maps = (up, guide, logits, out)
    plan = Launch(
        blend,
        tiles * batch * share.splits,
        tiling.THREADS,
        (*(one.stride() for one in maps), channels, high, wide, tiles, share.splits, share.span),
        {"S": scale, "LANES": tiling.THREADS, "ACC": arithmetic(kind)},
    )
    launch.launch(plan, maps[0].device, *maps)
    return out


def backward(g: Tensor, up: Tensor, guide: Tensor, logits: Tensor, scale: int, needs: list[bool]) -> list[Tensor]:
    """The gradients in up, the guide and the logits, of those that are needed."""
    batch, channels, high, wide = up.shape
    height, width = logits.shape[2:]
    of_up, of_guide = blank_map(up, channels, high, wide, up.dtype), blank_map(up, channels, high, wide, guide.dtype)
    of_logits = torch.empty(logits.shape, dtype=logits.dtype, device=up.device)
    tiles = -(-height * width // tiling.THREADS)
    strides = (g.stride(), up.stride(), guide.stride(), logits.stride(), of_up.stride())
    plan = Launch(
        blend_gradients,
        tiles * batch,
        tiling.THREADS,
        (*strides, channels, height, width, tiles),
        {"S": scale, "LANES": tiling.THREADS, "ACC": arithmetic(g.dtype)},
    )
    launch.launch(plan, g.device, g, up, guide, logits, of_up, of_guide, of_logits)
    return [one for one, needed in zip((of_up, of_guide, of_logits), needs, strict=True) if needed]
