"""Attention of pixels to the low-resolution cells around them, by codes of the image alone: NAF and RaysUp."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from upsamplers.errors import Unsupported
from upsamplers.image_encoder import GROUPS, GroupNorm, Reflected
from upsamplers.image_guided import ImageGuided, Size
from upsamplers.operator import check_option
from upsamplers.primitive import Taps, correlate
from upsamplers.primitive.taps import Table, constant, crossed
from upsamplers.softmax import softmax
from upsamplers.tracing import sizes


class Block(nn.Module):
    """(GN8, SiLU, convolution) twice, biased, mirrored, no residual."""

    def __init__(self, width: int, side: int | tuple[int, int], dilation: int = 1) -> None:
        super().__init__()
        self.norm1, self.norm2 = GroupNorm(GROUPS, width), GroupNorm(GROUPS, width)
        self.conv1 = Reflected(width, width, side, dilation=dilation)
        self.conv2 = Reflected(width, width, side, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c, H, W] of the same shape."""
        x = self.conv1(functional.silu(self.norm1(x)))
        out: Tensor = self.conv2(functional.silu(self.norm2(x)))
        return out


class NeighbourhoodAttention(ImageGuided):
    """Base: w = softmax(⟨q_g, key_g⟩/√e) over k×k cells, shifted inside at the border, for each of G heads."""

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None,
        scale: int,
        heads: int,
        kernel_size: int,
        width: int,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        name = self.facts.name
        for label, value in (("heads", heads), ("kernel_size", kernel_size), ("width", width)):
            check_option(value >= 1, name, label, value, "an integer >= 1")
        if channels is not None and channels % heads:
            raise Unsupported(f"{name}: channels must be a multiple of heads; got {channels} channels, heads={heads}")
        self.heads, self.kernel_size, self.width, self.planes = heads, kernel_size, width, heads

    @property
    def least_size(self) -> int:
        """The window's side: it is shifted inside, never cut."""
        return self.kernel_size

    def check(self, z: Tensor, guide: Tensor | None, size: Size | None = None) -> None:
        """As any operator, and that the heads divide the channels."""
        super().check(z, guide, size)
        if sizes(z)[1] % self.heads:
            wanted = f"a multiple of heads={self.heads} channels"
            raise ValueError(f"{self.facts.name}: z must have {wanted}; got {sizes(z)}")

    def table(self, z_size: Size, size: Size) -> Taps:
        """The windows of rows and columns."""
        rows, columns = (shifted(n, out, self.kernel_size) for n, out in zip(z_size, size, strict=True))
        return Taps(*crossed(rows, columns))

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B, G, k², r, Wo] of queries [B, D, Ho, Wo] and keys [B, D, h, w]."""
        query, key = state
        scale = 1 / math.sqrt(self.width // self.heads)
        return softmax(correlate(query[:, :, rows] * scale, key, groups=self.heads, taps=taps), 2)

    def macs(self, height: int, width: int) -> int:
        """Convolutions of an image of the output's size, similarities and the reassembly, for each tap."""
        return self._macs(height, width, self.tile_products(height, width)[0])

    def computed_macs(self, height: int, width: int) -> int:
        """With those of tiles that are padded, where a size is no multiple of z's."""
        return self._macs(height, width, self.tile_products(height, width)[1])

    def pixel_macs(self) -> int:
        """Multiply-adds a pixel of the image."""
        raise NotImplementedError

    def _macs(self, height: int, width: int, products: int) -> int:
        return self.scale**2 * height * width * self.pixel_macs() + products * (self.width + self.channels)


@constant
def shifted(cells: int, outputs: int, kernel_size: int) -> Table:
    """The cells along an axis that each output reads: k outputs of its own phase around it, shifted inside."""
    step = outputs // cells
    found = []
    for output in range(outputs):
        phase, place = output % step, output // step
        members = -(-(outputs - phase) // step)
        start = min(max(place - kernel_size // 2, 0), members - kernel_size)
        read = ((start + tap) * step + phase for tap in range(kernel_size))
        found.append(tuple((2 * row + 1) * cells // (2 * outputs) for row in read))
    return tuple(found)
