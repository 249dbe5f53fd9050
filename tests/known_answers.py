"""One answer per operator that this project did not compute: torch's own operators, or numbers of the published code.

Each entry raises where the operator disagrees with it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional
from torch.testing import assert_close

import upsamplers
from upsamplers import reference

Z = torch.randn(2, 6, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def by_definition(name: str, z: torch.Tensor, guide: torch.Tensor | None, scale: int) -> torch.Tensor:
    """wᵀz by the reference from the operator's own weights, so that a native forward does not answer for itself."""
    torch.manual_seed(0)
    op = upsamplers.create(name, channels=z.shape[1], scale=scale).double()
    w = op.weights(z, guide)
    up = reference.reassemble(w, z, scale=scale, kernel_size=op.kernel_size, border=op.border)
    return op.epilogue(up, z, guide)


def interpolation(name: str) -> Callable[[], None]:
    def answer() -> None:
        for scale in (2, 3, 4):
            align = None if name == "nearest" else False
            expected = functional.interpolate(Z, scale_factor=scale, mode=name, align_corners=align)
            assert_close(by_definition(name, Z, None, scale), expected, rtol=1e-10, atol=1e-10)

    return answer


def deconv() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("deconv", channels=6).double()
    kernel, bias = dict(op.named_parameters())["transposed.weight"], dict(op.named_parameters())["transposed.bias"]
    expected = functional.conv_transpose2d(Z, kernel, bias, stride=2, padding=1, output_padding=1)
    assert_close(by_definition("deconv", Z, None, 2), expected, rtol=1e-10, atol=1e-10)


def pixel_shuffle() -> None:
    torch.manual_seed(0)
    op = upsamplers.create("pixel_shuffle", channels=6).double()
    weight, bias = op.parameters()
    expected = functional.pixel_shuffle(functional.conv2d(Z, weight, bias, padding=1), 2)
    assert_close(by_definition("pixel_shuffle", Z, None, 2), expected, rtol=1e-10, atol=1e-10)


def max_unpool() -> None:
    guide = torch.randn(2, 6, 10, 14, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    _, indices = functional.max_pool2d(guide, 2, return_indices=True)
    expected = functional.max_unpool2d(Z, indices, (2, 2))
    assert_close(by_definition("max_unpool", Z, guide, 2), expected, rtol=0, atol=0)


KNOWN_ANSWERS: dict[str, Callable[[], None]] = {
    "nearest": interpolation("nearest"),
    "bilinear": interpolation("bilinear"),
    "bicubic": interpolation("bicubic"),
    "deconv": deconv,
    "pixel_shuffle": pixel_shuffle,
    "max_unpool": max_unpool,
}
