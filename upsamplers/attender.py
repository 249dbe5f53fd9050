"""UPLiFT's attender: kernels over D offsets of a 5×5 window, from a feature map of the output's size.

D is 5 (|dy| + |dx| ≤ 1), 9 (3×3), 13 (|dy| + |dx| ≤ 2), 17 (those and the four (±2, ±2)) or 25.
Walmer et al., CVPR 2026.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import Conv2d
from upsamplers.softmax import softmax
from upsamplers.tracing import sizes

SIDE = 5
Taps = Literal[5, 9, 13, 17, 25]


class Attender(nn.Module):
    """Kernels from a feature map of the output's size."""

    places: Tensor

    def __init__(self, inputs: int, taps: Taps, residual: bool) -> None:
        super().__init__()
        self.count, self.residual = int(taps), residual
        self.conv1 = Conv2d(inputs, taps, 1)
        found = offsets(taps)
        window = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
        places = [found.index(one) if one in found else taps for one in window]
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def shares(self, guide: Tensor) -> Tensor:
        """The D shares of each output, [B, D, sH, sW], of a guide [B, Cg, sH, sW]."""
        logits = self.conv1(guide)
        if self.residual:
            logits = logits + leading(guide, self.count)
        return softmax(logits, 1)

    def forward(self, guide: Tensor) -> Tensor:
        """w [B, 1, 25, sH, sW] of a guide [B, Cg, sH, sW]."""
        shares = functional.pad(self.shares(guide), (0, 0, 0, 0, 0, 1))  # what is in no offset is 0
        return shares.index_select(1, self.places).unsqueeze(1)


def leading(x: Tensor, count: int) -> Tensor:
    """The first `count` channels of a map, as many as it has, and zeros."""
    first = x[:, :count]
    return functional.pad(first, (0, 0, 0, 0, 0, count - sizes(first)[1]))


def offsets(taps: int) -> list[tuple[int, int]]:
    """The D offsets (dy, dx), row-major."""
    every = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    near = {5: 1, 13: 2, 17: 2}
    return [
        (y, x)
        for y, x in every
        if taps == 25
        or (taps == 9 and max(abs(y), abs(x)) <= 1)
        or (taps in near and abs(y) + abs(x) <= near[taps])
        or (taps == 17 and abs(y) == abs(x) == 2)
    ]
