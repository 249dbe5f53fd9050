"""Low-rank bilinear forms of local windows as convolutions: u_krᵀ x_k, v_krᵀ y_k, and the sum over channels k.

`Factor` holds one side of the form, U or V. Its kernels are [B or 1, g, d, e, e]: d ranks for each of g groups of
channels. They are parameters (static) or made from the map itself (dynamic).
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from upsamplers.convolution import in_float32, linear
from upsamplers.normal import norm_groups
from upsamplers.primitive import correlate
from upsamplers.tracing import is_jit, sizes


def kernel_side(kernel_size: int, stride: int) -> int:
    """Side of an encoder kernel at this stride: at stride 1 an even one becomes odd, one less, so that sizes keep."""
    return kernel_size - 1 if stride == 1 and kernel_size % 2 == 0 else kernel_size


def project(x: Tensor, kernels: Tensor, stride: int) -> Tensor:
    """u_krᵀ x_k around every stride-th point, rank-major: x [b, C, sH, sW] and its kernels give [b, d·C, H, W].

    Channel k uses the kernels of group ⌊k/(C/g)⌋. One depthwise convolution serves every sharing, with samples and
    channels side by side where each sample has kernels of its own: [1, b·C, sH, sW] in b·C groups, so that no sample is
    looped over. Shared kernels are repeated for it, which costs nothing beside the b·C·d·e² multiply-adds per point.

    Args:
        x: [b, C, sH, sW].
        kernels: [b or 1, g, d, e, e]; 1: the same for every sample.
        stride: s; the padding is ⌊(e − 1)/2⌋, zero.
    """
    channels = x.shape[1]
    if sizes(kernels)[0] == 0:  # of an empty batch, which has no kernels of its own: convolutions need one
        kernels = kernels.sum(0, keepdim=True)
    own, (groups, rank, side) = kernels.shape[0], sizes(kernels)[1:4]
    per_channel = kernels.unsqueeze(2).expand(-1, -1, channels // groups, -1, -1, -1)  # [own, g, C/g, d, e, e]
    if is_jit():
        return _unfolded(x, per_channel.flatten(1, 2).flatten(-2), side, stride)
    filters = per_channel.flatten(0, 3).unsqueeze(1)  # [own·C·d, 1, e, e]
    maps = x.unflatten(0, (x.shape[0] // own, own)).flatten(1, 2)  # [b/own, own·C, sH, sW]
    convolve = partial(functional.conv2d, stride=stride, padding=(side - 1) // 2, groups=own * channels)
    out = in_float32(convolve, maps, filters, None)
    return out.unflatten(1, (own, channels, rank)).flatten(0, 1).transpose(1, 2).flatten(1, 2)  # [b, d·C, H, W]


def _unfolded(x: Tensor, kernels: Tensor, side: int, stride: int) -> Tensor:
    """The same for kernels [b or 1, C, d, e²], as a product: a trace keeps the groups of a convolution as they are."""
    padding = (side - 1) // 2
    height, width = ((size + 2 * padding - side) // stride + 1 for size in x.shape[2:])
    windows = functional.unfold(x, side, padding=padding, stride=stride).unflatten(1, (x.shape[1], side**2))
    return (kernels @ windows).transpose(1, 2).flatten(1, 2).unflatten(-1, (height, width))


def contract(u: Tensor, v: Tensor, rank: int) -> Tensor:
    """Σ_k u_k v_k for each rank: u and v [B, d·C, H, W] give [B, d, H, W]."""
    return correlate(u, v, groups=rank, scale=1, kernel_size=1).squeeze(2)


def normalised(projected: Tensor, gain: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
    """GroupNorm and LeakyReLU(0.01) of each rank's projection, with one affine for all: [B, d·C, H, W]."""
    channels = sizes(gain)[0]
    rank = sizes(projected)[1] // channels
    slices = projected.unflatten(1, (rank, channels)).flatten(0, 1)  # [B·d, C, H, W]
    # nn.functional refuses a single value per group, which a 1×1 map has; here it normalises to the bias.
    normal = torch.group_norm(slices, groups, gain, bias, eps)
    return functional.leaky_relu(normal, 0.01).unflatten(0, (projected.shape[0], rank)).flatten(1, 2)


class Factor(nn.Module):
    """U or V: kernels [B or 1, g, d, e, e], and the normalised projections that they make of a map.

    Args:
        channels: C of the map.
        rank: d.
        share_groups: g groups of channels, each with kernels of its own; divides C.
        kernel_size: e at the map's own stride.
        dynamic: kernels are 1×1 convolutions of the map pooled to e×e; else they are parameters [d, g, e, e].
    """

    kernel: nn.Parameter | None

    def __init__(self, channels: int, rank: int, share_groups: int, kernel_size: int, dynamic: bool) -> None:
        super().__init__()
        self.rank, self.share_groups, self.kernel_size = rank, share_groups, kernel_size
        self.generator = nn.Conv2d(channels, rank * share_groups, 1) if dynamic else None
        if dynamic:
            self.register_parameter("kernel", None)
        else:
            self.kernel = nn.Parameter(torch.empty(rank, share_groups, kernel_size, kernel_size))
            nn.init.uniform_(self.kernel, -1 / kernel_size, 1 / kernel_size)  # as a depthwise convolution begins
        self.norm = nn.GroupNorm(norm_groups(channels), channels)

    def kernels(self, x: Tensor, stride: int) -> Tensor:
        """The kernels [B or 1, g, d, e, e] for a map [B, C, sH, sW].

        A static even kernel at stride 1 leaves its last row and column, which the odd one does not have.
        """
        side = kernel_side(self.kernel_size, stride)
        if self.generator is None:
            return self.kernels_of(None, side)
        return self.kernels_of(functional.adaptive_avg_pool2d(x, side).flatten(2).permute(2, 0, 1), side)

    def kernels_of(self, cells: Tensor | None, side: int) -> Tensor:
        """The kernels of this side from the means of a map's e×e cells, [e², B, C]; parameters need none."""
        if self.generator is None:
            assert self.kernel is not None
            return self.kernel[..., :side, :side].transpose(0, 1).unsqueeze(0)
        assert cells is not None
        rows = linear(cells, self.generator.weight.flatten(1), self.generator.bias)  # [e², B, d·g]
        return rows.unflatten(2, (self.rank, self.share_groups)).permute(1, 3, 2, 0).unflatten(3, (side, side))

    def project(self, x: Tensor, stride: int) -> Tensor:
        """The linear part alone, [B, d·C, H, W] from [B, C, sH, sW]."""
        return project(x, self.kernels(x, stride), stride)

    def forward(self, x: Tensor, stride: int) -> Tensor:
        """GroupNorm and LeakyReLU(0.01) of each rank's projection, with one affine for all: [B, d·C, H, W]."""
        norm = self.norm
        return normalised(self.project(x, stride), norm.weight, norm.bias, norm.num_groups, norm.eps)

    def macs(self, channels: int, points: int, stride: int) -> int:
        """Multiply-adds for one sample with this many low-resolution points: e²·d·(C·n + C·g), the last if dynamic."""
        area = kernel_side(self.kernel_size, stride) ** 2
        return area * self.rank * channels * (points + (self.share_groups if self.generator is not None else 0))


def scaled_affinity(u: Tensor, v: Tensor, rank: int) -> Tensor:
    """The affinity a = Σ_k U_k V_k / √C of normalised projections, [B, d, H, W]."""
    return contract(u, v, rank) / math.sqrt(sizes(u)[1] // rank)
