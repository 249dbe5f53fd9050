"""What stands at one site: an operator or several of ×2, the 1×1 convolutions that align widths, a fit to the size."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from upsamplers.errors import NetworkError, Unsupported
from upsamplers.networks.site import Site
from upsamplers.operator import Upsampler
from upsamplers.registry import create_class
from upsamplers.tracing import is_jit, sizes

NATIVE = tuple(f"upsamplers.ops.{name}" for name in ("nearest", "bilinear", "bicubic"))
"""Where the operators are that torch's own interpolation computes, at any scale; classes derived from them are not."""


class Placed(nn.Module):
    """The operators of one site: z [B, C, H, W], and a guide where they read one, to [B, C', H', W'].

    Args:
        name: the site's.
        steps: one operator, or several one after another.
        align: 1×1 convolution of z to the width that the network expects, before the first step.
        guide_align: 1×1 convolution of the guide to the width that the operator demands.
        guided: whether the operators read a guide.
    """

    def __init__(
        self, name: str, steps: list[Upsampler], align: nn.Module | None, guide_align: nn.Module | None, guided: bool
    ) -> None:
        super().__init__()
        self.name, self.guided = name, guided
        self.align, self.guide_align = align, guide_align
        self.steps = nn.ModuleList(steps)

    def forward(self, z: Tensor, guide: Tensor | None, size: tuple[int, ...], factor: Any = None) -> Tensor:
        """The map at `size` = (H', W'); `factor` is the interpolation's own where that was given instead."""
        self._check(z, guide)
        if self.align is not None:
            z = self.align(z)
        first: Any = self.steps[0]
        if type(first).__module__ in NATIVE:  # to any size at once, in the same numbers as the network's own call
            mode, to = first.facts.name, None if factor is not None else size
            aligned = None if mode == "nearest" else False
            return functional.interpolate(z, size=to, scale_factor=factor, mode=mode, align_corners=aligned)
        guides = self._guides(z, guide)
        for step, given in zip(self.steps, guides, strict=True):
            z = step(z) if given is None else step(z, given)
        return _fit(z, size)

    def _guides(self, z: Tensor, guide: Tensor | None) -> list[Tensor | None]:
        """The guide at the size that each step asks for: the means of its blocks where that is less than the whole."""
        steps: list[Any] = list(self.steps)
        if guide is None or not self.guided:
            return [None] * len(steps)
        if self.guide_align is not None:
            guide = self.guide_align(guide)
        whole = 1
        for step in steps:  # math.prod stops torch.compile
            whole *= step.scale
        full = _fit(guide, (whole * z.shape[-2], whole * z.shape[-1]))
        found: list[Tensor | None] = []
        before = 1
        for step in steps:
            height, _ = step.guide_size(before * z.shape[-2], before * z.shape[-1])
            blocks = full.shape[-2] // height
            found.append(full if blocks == 1 else functional.avg_pool2d(full, blocks))
            before *= step.scale
        return found

    def _check(self, z: Tensor, guide: Tensor | None) -> None:
        """NetworkError where this forward has another structure than the one that was recorded."""
        width = self.align.in_channels if isinstance(self.align, nn.Conv2d) else self.steps[0].channels
        if z.ndim != 4 or sizes(z)[1] != width:
            shape = "×".join(map(str, sizes(z)))
            raise NetworkError(f"{self.name}: recorded with {width} channels, and now z is {shape}; swap anew")
        if self.guided and guide is None:
            raise NetworkError(f"{self.name}: its guide was not made in this forward; call the whole network")

    def extra_repr(self) -> str:
        return f"{self.name}, guided={self.guided}"


def place(site: Site, cls: type[Upsampler], options: dict[str, Any], cascade: bool) -> Placed:
    """The operators for one site, in torch's default type. Unsupported, with the reason, where none can stand there."""
    scales = _steps(site.scale, cls, cascade)
    align = None if site.shape[1] == site.result[1] else nn.Conv2d(site.shape[1], site.result[1], 1)
    width = site.result[1]
    if site.guide is None:
        steps = [_made(cls, width, None, scale, options) for scale in scales]
        if steps[0].needs_guide == "required":
            raise Unsupported("needs a guide, and no feature of its size meets the result")
        return Placed(site.name, steps, align, None, False)
    given, guide_align = site.guide[1], None
    try:
        steps = [_made(cls, width, given, scale, options) for scale in scales]
    except Unsupported:
        if given == width:
            raise
        steps = [_made(cls, width, width, scale, options) for scale in scales]
        guide_align = nn.Conv2d(given, width, 1)
    if steps[0].needs_guide == "none":
        return Placed(site.name, [_made(cls, width, None, scale, options) for scale in scales], align, None, False)
    return Placed(site.name, steps, align, guide_align, True)


def _made(cls: type[Upsampler], channels: int, guide: int | None, scale: int, options: dict[str, Any]) -> Upsampler:
    return create_class(cls, channels, guide, scale, options)


def _steps(scale: int, cls: type[Upsampler], cascade: bool) -> list[int]:
    """The scales of the operators: one, or steps of ×2 where that is asked for or is all that the operator can do."""
    allowed = cls.facts.scales
    if not cascade and (not allowed or scale in allowed):
        return [scale]
    steps, rest = [], scale
    while rest % 2 == 0:
        steps.append(2)
        rest //= 2
    if rest > 1 or not steps:
        steps.append(rest)
    wrong = [one for one in steps if allowed and one not in allowed]
    if wrong:
        raise Unsupported(f"scale {scale} is not possible; allowed: {', '.join(map(str, allowed))}, and steps of them")
    return steps


def _fit(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """The map at a size: itself, or bilinear where the network's own sizes are no multiples."""
    if is_jit():  # sizes are tensors, and what holds for these holds for others
        return x if sizes(x)[-2:] == tuple(map(int, size)) else functional.interpolate(x, size=size, mode="bilinear")
    if x.shape[-2] == size[0] and x.shape[-1] == size[1]:
        return x
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
