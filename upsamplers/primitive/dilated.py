"""Windows of pixels that lie apart, as plain windows: maps of every d-th pixel, and back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def gathered(x: Tensor, dilation: int, scale: int = 1) -> Tensor:
    """Pixels `dilation` apart become maps of their own, [B, …, sH, sW] to [B·d², …, sH/d, sW/d]; zeros fill up."""
    if dilation == 1:
        return x
    height, width = x.shape[-2] // scale, x.shape[-1] // scale
    x = functional.pad(x, (0, scale * (-width % dilation), 0, scale * (-height % dilation)))
    x = x.unflatten(-1, (-1, dilation, scale)).unflatten(-4, (-1, dilation, scale))  # [B, …, H/d, d, s, W/d, d, s]
    x = x.movedim((-5, -2), (1, 2))  # [B, d, d, …, H/d, s, W/d, s]
    return x.flatten(-2).flatten(-3, -2).flatten(0, 2)


def scattered(x: Tensor, dilation: int, scale: int, height: int, width: int) -> Tensor:
    """The inverse of `gathered`, cut to the size [B, …, height, width]."""
    if dilation == 1:
        return x
    x = x.unflatten(-1, (-1, scale)).unflatten(-3, (-1, scale)).unflatten(0, (-1, dilation, dilation))
    x = x.movedim((1, 2), (-5, -2))  # [B, …, H/d, d, s, W/d, d, s]
    return x.flatten(-3).flatten(-4, -2)[..., :height, :width]
