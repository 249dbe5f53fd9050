"""The layers that encoders of images share: residual 1×1 blocks, pooling to any size, rotations by position."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.normal import group_normalised
from upsamplers.tracing import sizes

GROUPS = 8


class GroupNorm(nn.GroupNorm):
    """torch's layer, for maps of any size."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] of the same shape."""
        return group_normalised(self, input)


class Reflected(Conv2d):
    """A convolution at stride 1 of a map that is mirrored at its border; the size stays.

    A side too short to be mirrored, of one pixel, has that pixel everywhere.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] to [B, C', H, W]."""
        return super().forward(mirrored(input, self.kernel_size, self.dilation))


def mirrored(x: Tensor, kernel_size: tuple[int, ...], dilation: tuple[int, ...] = (1, 1)) -> Tensor:
    """x with the border that a convolution of this kernel needs: reflected, at one pixel repeated."""
    for axis in (0, 1):
        reach = dilation[axis] * (kernel_size[axis] - 1)
        if reach == 0:
            continue
        before, after = reach // 2, reach - reach // 2
        sides = (0, 0, before, after) if axis == 0 else (before, after, 0, 0)
        mode = "reflect" if sizes(x)[2 + axis] > max(before, after) else "replicate"
        x = functional.pad(x, sides, mode)
    return x


class Residual(nn.Module):
    """x + conv1(SiLU(GN8(conv1(SiLU(GN8 x))))), bias-free; a 1×1 convolution of x where the widths differ.

    `names` are those that the authors gave to norm, convolution, norm, convolution.
    """

    def __init__(self, inputs: int, outputs: int, names: tuple[str, str, str, str]) -> None:
        super().__init__()
        layers = (
            GroupNorm(GROUPS, inputs),
            Conv2d(inputs, outputs, 1, bias=False),
            GroupNorm(GROUPS, outputs),
            Conv2d(outputs, outputs, 1, bias=False),
        )
        self.names = names
        for name, layer in zip(names, layers, strict=True):
            _put(self, name, layer)
        if inputs != outputs:
            self.shortcut = Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor, level: float = 0.0) -> Tensor:
        """[B, C, H, W] to [B, C', H, W], of x + level: a norm does not see what all of x has in common."""
        first, fold, second, out = (self.get_submodule(name) for name in self.names)
        x, deviation = x + level if level else x, x
        kept = x if not hasattr(self, "shortcut") else self.shortcut(x)
        return kept + out(functional.silu(second(fold(functional.silu(first(deviation))))))


def _put(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Add a layer under a dotted name."""
    *parents, last = name.split(".")
    for parent in parents:
        if parent not in dict(module.named_children()):
            module.add_module(parent, nn.Module())
        module = module.get_submodule(parent)
    module.add_module(last, layer)


def encoder(inputs: int, width: int, side: int, names: tuple[str, str, str, str]) -> nn.Sequential:
    """A k×k convolution and two residual blocks."""
    first = Reflected(inputs, width, side, bias=False)
    return nn.Sequential(first, Residual(width, width, names), Residual(width, width, names))


def encoder_macs(inputs: int, width: int, side: int) -> int:
    """Multiply-adds a pixel."""
    return side**2 * inputs * width + 4 * width**2


def pooled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Adaptive average pooling; x itself where it has this size."""
    return x if sizes(x)[2:] == tuple(size) else functional.adaptive_avg_pool2d(x, size)


class PixelAngles(nn.Module):
    """x·cos + (−x₂, x₁)·sin over halves, angle_c = F[0, c]·y + F[1, c]·x with y, x from 0 to 1, both ends included.

    The channels of a pair have angles of their own: no rotation, and not relative.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        once = 2 * torch.pi * 100.0 ** torch.linspace(0, -1, width // 4)
        along, across = torch.cat([once, once]), torch.zeros(width // 2)
        self.freqs = nn.Parameter(torch.stack([torch.cat([along, across]), torch.cat([across, along])]))

    def forward(self, x: Tensor) -> Tensor:
        """[B, d, H, W] of the same shape."""
        kind = torch.promote_types(x.dtype, torch.float32)
        rows, columns = (torch.linspace(0, 1, side, device=x.device, dtype=kind) for side in sizes(x)[2:])
        halves = [part[..., None, None] for part in self.freqs.to(kind).chunk(2, 1)]  # [2, d/2, 1, 1] each
        one, other = (part[0] * rows[:, None] + part[1] * columns for part in halves)  # [d/2, H, W]
        first, second = x.chunk(2, 1)
        upper = first * one.cos().to(x.dtype) - second * one.sin().to(x.dtype)
        return torch.cat([upper, second * other.cos().to(x.dtype) + first * other.sin().to(x.dtype)], 1)


def turned(x: Tensor, heads: int, angles: Tensor) -> Tensor:
    """x [B, D, H, W] with the halves (x₁, x₂) of each head turned by angles [D/heads/2, H, W]: x₁·cos − x₂·sin, …"""
    first, second = x.unflatten(1, (heads, 2, -1)).unbind(2)  # [B, heads, D/heads/2, H, W] each
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.stack([first * cos - second * sin, second * cos + first * sin], 2).flatten(1, 3)


class RMSNorm(nn.Module):
    """x/√(mean x² + ε) over channels, times a weight; ε is that of x's type."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] of the same shape."""
        return functional.rms_norm(x.movedim(1, -1), self.weight.shape, self.weight.to(x.dtype)).movedim(-1, 1)
