"""Group normalisation of any map."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def norm_groups(channels: int) -> int:
    """Groups of a GroupNorm: the largest divisor of `channels` that is at most 32."""
    return max(groups for groups in range(1, 33) if channels % groups == 0)


def group_normalised(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    """norm(x), and the bias for one value a group, as a 1×1 map may have, which the module itself refuses."""
    return torch.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
