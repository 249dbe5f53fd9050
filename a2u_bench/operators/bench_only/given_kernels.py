"""Ways to compute wᵀz, as operators that are given w and so cost nothing else: for `a2u-bench run --suite primitive`.

The guide is w itself, or the offsets of the points, so its channels follow from the options. They are built by their
names, `a2u_bench.ways:Unfold:kernel_size=3`, as a user's own operators are.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers import Facts, Paper, Unsupported, Upsampler, reassemble
from upsamplers.operator import check_option


def _facts(name: str, title: str, taps: str = "k²") -> Facts:
    paper = Paper("a2u-bench", "Ways to compute wᵀz", "this program", 2026)
    return Facts(name, title, "distance-based", paper, kernel_size=5, groups="groups", taps=taps, guide="required")


class Primitive(Upsampler):
    """`upsamplers.reassemble` with a kernel that is given, by the best backend or by the one that is named."""

    facts = _facts("primitive", "wᵀz by the primitive")

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 5,
        groups: int = 1,
        backend: Literal["best", "eager", "numba", "triton"] = "best",
    ) -> None:
        name = self.facts.name
        odd = kernel_size >= 1 and kernel_size % 2 == 1
        check_option(odd, name, "kernel_size", kernel_size, "an odd integer >= 1")
        check_option(groups >= 1, name, "groups", groups, "an integer >= 1 that divides channels")
        if channels % groups:
            raise Unsupported(f"{name}: groups={groups} must divide channels; got {channels}")
        super().__init__(channels, groups * kernel_size**2, scale)
        self.kernel_size, self.groups = kernel_size, groups
        self.backend = None if backend == "best" else backend

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, k², sH, sW]: a view of the guide [B, G·k², sH, sW]."""
        assert guide is not None
        return guide.unflatten(1, (self.groups, -1))

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        self.check(z, guide)
        w = self.weights(z, guide)
        return reassemble(w, z, scale=self.scale, kernel_size=self.kernel_size, backend=self.backend)

    def macs(self, height: int, width: int) -> int:
        """k² per output element."""
        return self.kernel_size**2 * self.channels * self.scale**2 * height * width


class Unfold(Primitive):
    """The usual plain PyTorch: every window written out, repeated s times, multiplied by w, summed over the taps."""

    facts = _facts("unfold", "wᵀz by unfold")

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 5,
        groups: int = 1,
    ) -> None:
        super().__init__(channels, guide_channels, scale, kernel_size=kernel_size, groups=groups)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        self.check(z, guide)
        written_out = functional.unfold(z, self.kernel_size, padding=self.kernel_size // 2)
        windows = functional.interpolate(written_out.unflatten(2, z.shape[2:]), scale_factor=self.scale)
        windows = windows.unflatten(1, (self.groups, -1, self.kernel_size**2))  # [B, G, C/G, k², sH, sW]
        return (windows * self.weights(z, guide).unsqueeze(2)).sum(3).flatten(1, 2)


class Points(Upsampler):
    """`upsamplers.reassemble` at points: bilinear's own, each moved by the offset in pixels of z that is given."""

    facts = _facts("points", "wᵀz at points by the primitive", taps="4")

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        groups: int = 1,
        backend: Literal["best", "eager", "numba", "triton"] = "best",
    ) -> None:
        name = self.facts.name
        check_option(groups >= 1, name, "groups", groups, "an integer >= 1 that divides channels")
        if channels % groups:
            raise Unsupported(f"{name}: groups={groups} must divide channels; got {channels}")
        super().__init__(channels, 2 * groups, scale)
        self.kernel_size, self.groups = 2, groups
        self.backend = None if backend == "best" else backend

    def points(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, G, 2, sH, sW], x before y; in at least float32."""
        assert guide is not None
        high = torch.promote_types(guide.dtype, torch.float32)
        y, x = (torch.arange(n, dtype=high, device=guide.device) for n in guide.shape[2:])
        y, x = ((axis + 0.5) / self.scale - 0.5 for axis in (y, x))
        return guide.detach().to(high).unflatten(1, (-1, 2)) + torch.stack(torch.meshgrid(x, y, indexing="xy"))

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, G, 4, sH, sW]: bilinear."""
        return self._corners(self.points(z, guide)).to(z.dtype)

    @staticmethod
    def _corners(points: Tensor) -> Tensor:
        x, y = (points - points.floor()).unbind(2)
        return torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], 2)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        self.check(z, guide)
        points = self.points(z, guide)
        w = self._corners(points).to(z.dtype)
        return reassemble(w, z, scale=self.scale, kernel_size=2, points=points, backend=self.backend)

    def macs(self, height: int, width: int) -> int:
        """4 per output element."""
        return 4 * self.channels * self.scale**2 * height * width


class GridSample(Points):
    """The same by `torch.nn.functional.grid_sample`, whose coordinates run from −1 to 1."""

    facts = _facts("grid_sample", "wᵀz at points by grid_sample", taps="4")

    def __init__(self, channels: int, guide_channels: int | None = None, scale: int = 2, *, groups: int = 1) -> None:
        super().__init__(channels, guide_channels, scale, groups=groups)

    def forward(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """[B, C, sH, sW]."""
        self.check(z, guide)
        size = torch.tensor([z.shape[3], z.shape[2]], device=z.device)
        grid = (2 * self.points(z, guide).movedim(2, -1) + 1) / size - 1  # [B, G, sH, sW, 2]
        grouped = z.unflatten(1, (self.groups, -1)).flatten(0, 1)
        sampled = functional.grid_sample(grouped, grid.flatten(0, 1).to(z.dtype), align_corners=False)
        return sampled.unflatten(0, (-1, self.groups)).flatten(1, 2)
