"""Max-unpooling: w is one-hot in each s×s block, at the arg-max of the guide; K = 1, one kernel per channel."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.errors import Unsupported
from upsamplers.operator import Facts, Paper, Upsampler


class MaxUnpool(Upsampler):
    """Max-unpooling: each value of z goes to where the guide's s×s block has its maximum: w [B, C, 1, sH, sW].

    The twin is max pooling. A tie goes to the first of the block in row-major order, as torch's pooling has it.

    Args:
        channels: C of z and of the guide.
        guide_channels: the same.
        scale: s >= 1.
        twin: of no effect: max pooling has no parameters and is always there.
    """

    facts = Facts(
        name="max_unpool",
        title="Max-unpooling",
        label="max unpooling",
        family="first order",
        paper=Paper(
            "Vijay Badrinarayanan, Alex Kendall, Roberto Cipolla",
            "SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation",
            "IEEE TPAMI 39(12)",
            2017,
            "1511.00561",
        ),
        kernel_size=1,
        groups="C",
        taps="1",
        guide="required",
        twin=True,
    )

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2, *, twin: bool = False) -> None:
        super().__init__(channels, guide_channels, scale)
        if self.guide_channels != channels:
            raise Unsupported(f"max_unpool: guide and z must be equally wide; got {self.guide_channels} and {channels}")
        self.twin = twin  # the twin has no parameters; it always exists

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, C, 1, sH, sW], ones and zeros."""
        assert guide is not None
        return self._one_hot(guide).unsqueeze(2).to(z.dtype)

    def _indices(self, guide: Tensor) -> Tensor:
        """Flat position of each block's maximum in the guide's plane, [B, C, H, W]."""
        return functional.max_pool2d(guide, self.scale, return_indices=True)[1]

    def _one_hot(self, guide: Tensor) -> Tensor:
        indices = self._indices(guide).flatten(-2)
        return guide.new_zeros(guide.shape).flatten(-2).scatter_(-1, indices, 1.0).view(guide.shape)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """torch's own kernel; equals `reassemble(weights(z, guide), z)`."""
        self.check(z, guide)
        assert guide is not None
        # nn.functional compares sizes, which a trace holds as tensors, and torch.ops keeps those of the trace.
        up: Tensor = torch._C._nn.max_unpool2d(z, self._indices(guide), guide.shape[-2:])
        return up

    @property
    def down_kernel_size(self) -> int:
        """The block itself."""
        return self.scale

    def down_weights(self, guide: Tensor) -> Tensor:
        """w [B, C, s², H, W]: one-hot over each block."""
        size = (guide.shape[2] // self.scale, self.scale, guide.shape[3] // self.scale, self.scale)
        blocks = self._one_hot(guide).unflatten(-1, size[2:]).unflatten(-3, size[:2])  # [B, C, H, s, W, s]
        return blocks.permute(0, 1, 3, 5, 2, 4).flatten(2, 3)

    def downsample(self, guide: Tensor) -> Tensor:
        """Max pooling, [B, C, H, W]."""
        return functional.max_pool2d(guide, self.scale)

    def macs(self, height: int, width: int) -> int:
        """1 per output element."""
        return self.channels * height * width * self.scale**2
