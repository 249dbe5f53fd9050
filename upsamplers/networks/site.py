"""A site: one call by which a network changes the size of a map, what flows through it, and why it is left alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Where a tensor passes from one module to another: an input or a result of the nth call of a module."""

    path: str
    nth: int
    is_result: bool
    keys: tuple[int | str, ...]  # how it is reached in (args, kwargs), or in what the module returns


@dataclass(frozen=True)
class Site:
    """The nth upsampling call in one module; `path` is the module's, "" for the network itself.

    A site's name is ``path#nth``, with ``.`` for the network itself. Sizes are those of the forward that was recorded.
    """

    path: str
    nth: int
    kind: str  # interpolate, conv_transpose2d, pixel_shuffle, max_unpool2d, grid_sample
    mode: str  # of an interpolation: nearest, bilinear, …
    shape: (
        Shape  # of z, [B, C, H, W]: for pixel_shuffle what its convolution reads, where the two can be replaced as one
    )
    result: Shape  # [B, C', H', W']
    guide: Shape | None = None  # of the feature that meets the result at its size, None where there is none
    align_corners: bool = False
    reason: str = ""  # why it is left alone unless it is asked for; "" where it is swapped
    impossible: bool = False  # no operator can stand here, asked for or not
    notes: tuple[str, ...] = ()
    source: Source | None = field(default=None, repr=False)  # where the guide is found
    changes: bool = field(default=False, repr=False)  # the guide is changed in place after the site
    convolution: str | None = field(default=None, repr=False)  # path of the one that pixel_shuffle rearranges

    @property
    def name(self) -> str:
        """``path#nth``."""
        return f"{self.path or '.'}#{self.nth}"

    @property
    def ratio(self) -> tuple[float, float]:
        """Height and width of the result as multiples of those of z."""
        return self.result[-2] / self.shape[-2], self.result[-1] / self.shape[-1]

    @property
    def scale(self) -> int:
        """The operator's scale here: the next integer."""
        return max(math.ceil(ratio - 1e-9) for ratio in self.ratio)

    @property
    def is_exact(self) -> bool:
        """Whether the result is that integer times as large along both axes."""
        return self.result[-2:] == (self.scale * self.shape[-2], self.scale * self.shape[-1])
