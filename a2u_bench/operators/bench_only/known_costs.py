"""Operators whose costs are known beforehand, to measure the instrument with: `a2u-bench check --self`.

Each is nearest-neighbour upsampling with one cost of a known size on top, or another operator slower by a known share.
They are built by their names, `a2u_bench.synthetic:Lasting:microseconds=2000`, as a user's own operators are.
"""

from __future__ import annotations

import time

from torch import Tensor, nn
from torch.nn import functional

import upsamplers
from upsamplers import Facts, Paper, Upsampler
from upsamplers.operator import check_option


def _facts(name: str, title: str) -> Facts:
    paper = Paper("a2u-bench", "Operators of known cost", "this program", 2026)
    return Facts(name, title, "distance-based", paper, kernel_size=1, groups="1", taps="1", guide="optional")


class Lasting(Upsampler):
    """Lasts so many microseconds by the clock, whatever else the machine does."""

    facts = _facts("lasting", "Nearest neighbour of known duration")

    def __init__(
        self, channels: int, guide_channels: int | None = None, scale: int = 2, *, microseconds: int = 1000
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(microseconds >= 0, "lasting", "microseconds", microseconds, "0 or more")
        self.nanoseconds = 1000 * microseconds

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, 1, 1, s, s] of ones."""
        return z.new_ones(1, 1, 1, self.scale, self.scale)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map, not before its time."""
        end = time.perf_counter_ns() + self.nanoseconds
        up = functional.interpolate(z, scale_factor=self.scale, mode="nearest")
        _wait_until(end)
        return up

    def macs(self, height: int, width: int) -> int:
        """1 per output element."""
        return self.channels * height * width * self.scale**2


class Holding(Lasting):
    """Holds so many kibibytes while it works."""

    facts = _facts("holding", "Nearest neighbour of known workspace")

    def __init__(
        self, channels: int, guide_channels: int | None = None, scale: int = 2, *, kibibytes: int = 1024
    ) -> None:
        super().__init__(channels, guide_channels, scale, microseconds=0)
        check_option(kibibytes >= 0, "holding", "kibibytes", kibibytes, "0 or more")
        self.kibibytes = kibibytes

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The upsampled map, made while the workspace is there."""
        workspace = z.new_empty(1024 * self.kibibytes // z.element_size())
        batch, channels, height, width = z.shape
        scale = self.scale
        blocks = z[:, :, :, None, :, None].expand(batch, channels, height, scale, width, scale)
        up = blocks.reshape(batch, channels, scale * height, scale * width)  # the one copy that there is
        del workspace
        return up


class Working(Lasting):
    """Mixes the channels of its output by one 1×1 convolution: C² parameters, C² multiply-adds an output point."""

    facts = _facts("working", "Nearest neighbour and a 1×1 convolution")

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2) -> None:
        super().__init__(channels, guide_channels, scale, microseconds=0)
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The mixed map."""
        return self.mix(up)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """Upsampled, then mixed."""
        return self.epilogue(super().forward(z, guide), z, guide)

    def macs(self, height: int, width: int) -> int:
        """1 + C per output element."""
        return (1 + self.channels) * super().macs(height, width)


class Replica(Upsampler):
    """Another operator, after each call of which so many per cent of the call's own time are waited.

    `variant` counts that operator's declared variants. `copy` tells replicas apart that are otherwise the same.
    """

    facts = _facts("replica", "Another operator, slower by a known share")

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        of: str = "nearest",
        variant: int = 0,
        percent: int = 0,
        copy: int = 0,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(percent >= 0, "replica", "percent", percent, "0 or more")
        variants = upsamplers.facts(of).variants
        check_option(0 <= variant < len(variants), "replica", "variant", variant, f"0 to {len(variants) - 1}")
        self.percent, self.copy = percent, copy
        self.inner = upsamplers.create(
            of, channels=channels, guide_channels=guide_channels, scale=scale, **variants[variant].options
        )
        self.kernel_size, self.border = self.inner.kernel_size, self.inner.border

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """The other operator's kernels."""
        return self.inner.weights(z, guide)

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor | None:
        """Where the other operator reads z."""
        return self.inner.points(z, guide)

    def epilogue(self, up: Tensor, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """What the other operator does after wᵀz."""
        return self.inner.epilogue(up, z, guide)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """What the other operator gives, later."""
        begin = time.perf_counter_ns()
        up: Tensor = self.inner(z, None if self.inner.facts.guide == "none" else guide)
        end = time.perf_counter_ns()
        _wait_until(end + (end - begin) * self.percent // 100)
        return up

    def macs(self, height: int, width: int) -> int:
        """The other operator's."""
        return self.inner.macs(height, width)


def _wait_until(end: int) -> None:
    while time.perf_counter_ns() < end:
        pass
