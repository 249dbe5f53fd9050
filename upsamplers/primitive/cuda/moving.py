"""Launches the kernels of sampling at moved points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from upsamplers.primitive.cuda import launch, tiling
from upsamplers.primitive.cuda.launch import Launch, arithmetic, blank_map
from upsamplers.primitive.cuda.moved import moved_corners, moved_products, moved_sum
from upsamplers.primitive.cuda.sampling import spread_points


def _read(offset: Tensor, scope: Tensor | None, begin: Tensor) -> tuple[Tensor, ...]:
    """What the kernels read besides z."""
    return offset, offset if scope is None else scope, begin.reshape(-1)


def _strides(offset: Tensor, scope: Tensor | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return offset.stride(), (offset if scope is None else scope).stride()


def forward(z: Tensor, offset: Tensor, scope: Tensor | None, begin: Tensor, scale: int, groups: int) -> Tensor:
    """z sampled at the moved points, [B, C, sH, sW]."""
    batch, channels, height, width = z.shape
    per = channels // groups
    out = blank_map(z, channels, scale * height, scale * width, z.dtype)
    lanes = tiling.channel_lanes(per, z.stride(1) == 1 and out.stride(1) == 1)
    pixels = tiling.THREADS // lanes
    tiles = -(-(scale**2) * height * width // pixels)
    plan = Launch(
        moved_sum,
        tiles * batch * groups,
        tiling.THREADS,
        (z.stride(), *_strides(offset, scope), out.stride(), height, width, per, groups, tiles),
        {
            "S": scale,
            "SCOPE": scope is not None,
            "PIXELS": pixels,
            "LANES": lanes,
            "UNROLL": min(4, -(-per // lanes)),
            "ACC": arithmetic(z.dtype),
            "PLACE": arithmetic(z.dtype),
        },
    )
    launch.launch(plan, z.device, z, *_read(offset, scope, begin), out)
    return out


def backward(
    g: Tensor,
    z: Tensor,
    offset: Tensor,
    scope: Tensor | None,
    begin: Tensor,
    scale: int,
    groups: int,
    needs: list[bool],
) -> list[Tensor]:
    """The gradients in z, the offsets and the scope, of those that are needed."""
    batch, channels, height, width = z.shape
    pixels = tiling.THREADS
    tiles = -(-(scale**2) * height * width // pixels)
    plain: dict[str, Any] = {
        "S": scale, "SCOPE": scope is not None, "PIXELS": pixels, "PLACE": arithmetic(z.dtype),
    }  # fmt: skip
    found = []
    if needs[0]:
        kind = torch.promote_types(z.dtype, torch.float32)
        w = torch.empty(batch, groups, 4, scale * height, scale * width, dtype=kind, device=z.device)
        points = torch.empty(batch, groups, 2, scale * height, scale * width, dtype=kind, device=z.device)
        plan = Launch(
            moved_corners,
            tiles * batch * groups,
            pixels,
            (*_strides(offset, scope), w.stride(), points.stride(), height, width, groups, tiles),
            plain,
        )
        launch.launch(plan, offset.device, *_read(offset, scope, begin), w, points)
        found.append(spread_points(w, g, points, z.shape, "replicate").to(z.dtype))
    if needs[1] or needs[2]:
        of_offset = blank_map(offset, offset.shape[1], height, width, offset.dtype)
        of_scope = of_offset if scope is None else blank_map(offset, offset.shape[1], height, width, scope.dtype)
        strides = (g.stride(), z.stride(), *_strides(offset, scope), of_offset.stride())
        plan = Launch(
            moved_products,
            tiles * batch * groups,
            pixels,
            (*strides, height, width, channels // groups, groups, tiles),
            {"ACC": arithmetic(z.dtype), **plain},
        )
        launch.launch(plan, g.device, g, z, *_read(offset, scope, begin), of_offset, of_scope)
        found += [one for one, needed in ((of_offset, needs[1]), (of_scope, needs[2])) if needed]
    return found
