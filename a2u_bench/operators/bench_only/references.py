"""What learned operators are held against in restoration: constant kernels of a form, and a joint bilateral one.

Built by name, as a user's own operators are: ``references:Constant:gate=softmax``.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.operator import Facts, Paper, Upsampler, check_option

STEEP = 10.0
"""Logits by which a parameter changes them, so that some hundred small steps can make a weight 0 or 1."""


class Constant(Upsampler):
    """w [1, 1, k², s, s], one kernel a phase, whatever the features.

    Args:
        channels: C of z.
        guide_channels: unused.
        scale: s >= 1.
        kernel_size: k, odd.
        gate: free: any weights; softmax of free logits; sigmoid-softmax: softmax of the sigmoids of free logits.
    """

    facts = Facts(
        name="constant",
        title="A constant kernel",
        family="learned static",
        kernel_size=3,
        groups="1",
        taps="k²",
        border="replicate",
    )

    def __init__(
        self,
        channels: int,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        kernel_size: int = 3,
        gate: Literal["free", "softmax", "sigmoid-softmax"] = "softmax",
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(kernel_size % 2 == 1, "constant", "kernel_size", kernel_size, "an odd integer")
        self.kernel_size, self.gate = kernel_size, gate
        begin = torch.full((1, 1, kernel_size**2, scale, scale), 1 / kernel_size**2 if gate == "free" else 0.0)
        self.weight = nn.Parameter(begin)

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [1, 1, k², s, s]."""
        if self.gate == "free":
            return self.weight
        logits = STEEP * self.weight
        return (logits.sigmoid() if self.gate == "sigmoid-softmax" else logits).softmax(2)

    def macs(self, height: int, width: int) -> int:
        """The reassembly."""
        return self.scale**2 * self.kernel_size**2 * self.channels * height * width


class JointBilateral(Upsampler):
    """w = softmax over k² of −α‖A g_p − A ḡ_q‖² − β‖p − q‖²: the guide at p against its own mean at each tap q.

    A is a learned map of its channels, α and β are two learned numbers. After Kopf, Cohen, Lischinski, Uyttendaele,
    "Joint Bilateral Upsampling", SIGGRAPH 2007.

    Args:
        channels: C of z.
        guide_channels: of the guide.
        scale: s >= 1.
        kernel_size: k, odd.
    """

    facts = Facts(
        name="joint_bilateral",
        title="Joint bilateral",
        family="second order",
        paper=Paper("Kopf, Cohen, Lischinski, Uyttendaele", "Joint Bilateral Upsampling", "SIGGRAPH", 2007),
        kernel_size=3,
        groups="1",
        taps="k²",
        border="replicate",
        guide="required",
    )

    def __init__(
        self, channels: int, guide_channels: int | None = None, scale: int = 2, *, kernel_size: int = 3
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(kernel_size % 2 == 1, "joint_bilateral", "kernel_size", kernel_size, "an odd integer")
        self.kernel_size = kernel_size
        self.map = nn.Conv2d(self.guide_channels, self.guide_channels, 1, bias=False)
        nn.init.eye_(self.map.weight.data[:, :, 0, 0])
        self.steepness = nn.Parameter(torch.zeros(2))

    def weights(self, z: Tensor, guide: Tensor | None = None) -> Tensor:
        """w [B, 1, k², sH, sW], each kernel summing to one."""
        assert guide is not None
        s, k = self.scale, self.kernel_size
        mapped = self.map(guide)
        mean = functional.avg_pool2d(mapped, s)
        reach = k // 2
        padded = functional.pad(mean, (reach,) * 4, mode="replicate")
        height, width = mean.shape[2:]
        far = []
        for place in range(k**2):
            y, x = divmod(place, k)
            tap = padded[:, :, y : y + height, x : x + width]
            near = tap.repeat_interleave(s, 2).repeat_interleave(s, 3)
            far.append((mapped - near).square().mean(1))
        alpha, beta = self.steepness.exp()
        return (-alpha * torch.stack(far, 1) - beta * self._distances(mean)).softmax(1).unsqueeze(1)

    def _distances(self, mean: Tensor) -> Tensor:
        """Squares of the way from an output point to each tap, in points of z, [k², sH, sW]."""
        s, k = self.scale, self.kernel_size
        inside = (torch.arange(s, dtype=mean.dtype, device=mean.device) + 0.5) / s - 0.5
        offset = torch.arange(k, dtype=mean.dtype, device=mean.device) - k // 2
        away = (offset[:, None] - inside).square()  # [k, s]
        square = away[:, None, :, None] + away[None, :, None, :]  # [k, k, s, s]
        return square.flatten(0, 1).repeat(1, mean.shape[2], mean.shape[3])

    def macs(self, height: int, width: int) -> int:
        """The map, the differences at every tap, the reassembly."""
        fine, taps = self.scale**2 * height * width, self.kernel_size**2
        return fine * (self.guide_channels**2 + taps * (self.guide_channels + self.channels))
