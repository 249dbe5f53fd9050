"""Operators whose guide is an image of any size and whose output has any size: wᵀz by tap tables, in blocks of rows."""

from __future__ import annotations

import warnings
from collections import Counter
from operator import and_
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from upsamplers.errors import Unsupported
from upsamplers.operator import Facts, Upsampler
from upsamplers.primitive import Taps, reassemble
from upsamplers.primitive.taps import products, runs
from upsamplers.tracing import is_exporting, is_jit, sides, sizes, whole

LARGEST = 1 << 26
"""Bytes of kernels, with what is computed beside them, that are made at once: 64 MiB. More of them come in blocks."""

IMAGE = 3
"""Channels of a guide where nothing else is said: an RGB image, normalised as the encoder that gave z was fed."""

FAR = 30.0
"""Values of an image beyond any that is normalised or in [0, 1]."""

Size = tuple[int, int]


class ImageGuided(Upsampler):
    """Base of the operators that upsample features of an encoder by the image that it was given.

    `forward(z, image, size)`: z [B, C, h, w], image [B, Cg, H, W], output [B, C, *size]; size defaults to scale·(h, w).
    A subclass defines `taps`, `prepare` (what is made once) and `kernels` (w of some rows of the output, made from it).
    w is per output point, so that blocks of rows are exact. In training each block is computed again on the way back.

    Args:
        channels: C of z; None, where the facts say so, for any.
        guide_channels: Cg, by default 3.
        scale: of the output whose size is not given.
    """

    facts: ClassVar[Facts]
    planes: int = 1
    """Maps of K taps that are held for each one of w's groups while w is made: heads that are averaged."""

    def __init__(self, channels: int | None, guide_channels: int | None = None, scale: int = 2) -> None:
        if channels is None and not self.facts.any_channels:
            raise Unsupported(f"{self.facts.name}: channels=None is not possible: its parameters depend on C of z")
        super().__init__(channels or IMAGE, IMAGE if guide_channels is None else guide_channels, scale)
        if channels is None:
            self.channels = self.out_channels = None  # type: ignore[assignment]  # any
        self._seen = False

    def size(self, z: Tensor, size: Size | None) -> Size:
        """Height and width of the output."""
        height, width = sizes(z)[2:]
        if size is None:
            return self.scale * whole(height), self.scale * whole(width)
        return whole(size[0]), whole(size[1])

    def check(self, z: Tensor, guide: Tensor | None, size: Size | None = None) -> None:
        """Raise ValueError, with the shapes or the dtypes, when z, the image or the size does not fit."""
        name, shape = self.facts.name, sizes(z)
        for label, given in (("z", z), ("guide", guide)):
            if given is not None and not given.is_floating_point():
                raise ValueError(
                    f"{name}: {label} must be floating point; got {given.dtype}; convert it, as {label}.float()"
                )
        if len(shape) != 4 or (self.channels is not None and shape[1] != self.channels):
            raise ValueError(f"{name}: z must be [B, {self.channels or 'C'}, h, w]; got {shape}")
        if min(shape[2:]) < self.least_size:
            raise ValueError(f"{name}: z must be at least {self.least_size} pixels high and wide; got {shape}")
        if guide is None:
            raise ValueError(f"{name}: needs an image [B, {self.guide_channels}, H, W]; z comes first")
        image = sizes(guide)
        if len(image) != 4 or image[:2] != (shape[0], self.guide_channels):
            wanted = f"[{shape[0]}, {self.guide_channels}, H, W]"
            raise ValueError(f"{name}: the image must be {wanted} for z {shape}; got {image}; z comes first")
        two = isinstance(size, tuple | list) and len(size) == 2
        if size is not None and not (two and all(isinstance(side, int) for side in size)):
            raise ValueError(f"{name}: size must be (height, width) of the output, two integers; got {size!r}")
        if size is not None and (size[0] < shape[2] or size[1] < shape[3]):
            raise ValueError(f"{name}: size must be at least that of z, {shape[2:]}; got {tuple(size)}")
        self.check_image(image, self.size(z, size))
        self._note(guide)

    def check_image(self, image: tuple[int, ...], size: Size) -> None:
        """Raise ValueError where an image of this shape is too small."""

    def _note(self, guide: Tensor) -> None:
        """Say once that an image is not normalised."""
        if torch.compiler.is_compiling() or is_jit() or is_exporting() or self._seen or guide.is_meta:
            return
        self._seen = True
        if type(guide) not in (Tensor, torch.nn.Parameter) or torch._C._functorch.is_functorch_wrapped_tensor(guide):
            return
        if guide.numel() and float(guide.detach().abs().amax()) > FAR:
            message = f"{self.facts.name}: image values up to {float(guide.detach().abs().amax()):.4g}; it should be"
            warnings.warn(f"{message} normalised as the encoder's input was", stacklevel=4)

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """What all kernels are made of: the convolutions of the image and of z."""
        raise NotImplementedError

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B or 1, G, K, r, Wo] of these rows of the output, which have these taps."""
        raise NotImplementedError

    def table(self, z_size: Size, size: Size) -> Taps:
        """`taps`, where the output's size is known."""
        raise NotImplementedError

    def taps(self, z_size: Size, size: Size | None = None) -> Taps:
        """Which rows and columns of z, of this height and width, each output of this size reads."""
        return self.table(z_size, size or (self.scale * z_size[0], self.scale * z_size[1]))

    def weights(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The kernels w [B or 1, G, K, Ho, Wo], whole, for z [B, C, h, w] and an image."""
        self.check(z, guide, size)
        assert guide is not None
        size = self.size(z, size)
        state = self.prepare(z, guide, size)
        return self.kernels(state, self.taps(sides(z), size), slice(0, size[0]))

    def reads(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> tuple[Tensor, dict[str, Any]]:
        """z and its tap table."""
        return z, {"taps": self.taps(sides(z), self.size(z, size))}

    def forward(self, z: Tensor, guide: Tensor | None = None, size: Size | None = None) -> Tensor:
        """The upsampled features [B, C, *size] of z [B, C, h, w] by an image [B, Cg, H, W] of any size.

        Raises ValueError, in one line, for shapes that do not fit.
        """
        self.check(z, guide, size)
        assert guide is not None
        size = self.size(z, size)
        state = self.prepare(z, guide, size)
        taps = self.taps(sides(z), size)
        blocks = self.blocks(z, taps)
        if len(blocks) == 1:
            return self._block(z, taps, blocks[0], *state)
        if not torch.is_grad_enabled():
            shape = (z.shape[0], z.shape[1], *size)
            first = self._block(z, taps, blocks[0], *state)
            up = torch.empty(shape, dtype=first.dtype, device=z.device)
            up[:, :, blocks[0]] = first
            del first
            for rows in blocks[1:]:
                up[:, :, rows] = self._block(z, taps, rows, *state)
            return up
        parts = [checkpoint(self._block, z, taps, rows, *state, use_reentrant=False) for rows in blocks]
        return torch.cat(parts, 2)

    def _block(self, z: Tensor, taps: Taps, rows: slice, *state: Tensor) -> Tensor:
        part = taps.part(rows)
        return reassemble(self.kernels(state, part, rows), z, taps=part)

    def blocks(self, z: Tensor, taps: Taps) -> list[slice]:
        """Rows of the output whose kernels are made together, so that these and what they read stay below LARGEST."""
        batch, channels = sizes(z)[:2]
        rows, cols = runs(taps.rows), runs(taps.cols)
        high = rows.size[1]
        kept = 3 * self.planes * len(taps.cols) + channels * cols.size[0] * 2 // high  # logits, their copies, z at taps
        row = z.element_size() * whole(batch) * (taps.each() * kept + 2 * channels * len(taps.cols))
        every = len(taps.rows)
        count = max(1, LARGEST // max(row, 1))
        if count >= every:
            return [slice(0, every)]
        count = count // high * high or count  # whole tiles
        return [slice(first, min(first + count, every)) for first in range(0, every, count)]

    def tile_products(self, height: int, width: int) -> tuple[int, int]:
        """Pairs of an output and a tap that are needed, and that are multiplied, at this height and width of z."""
        taps = self.taps((height, width))
        there = sum(sum(y >= 0 for y in row) for row in taps.rows), sum(sum(x >= 0 for x in c) for c in taps.cols)
        if there == (len(taps.rows) * taps.each(), len(taps.cols) * taps.each()):
            return len(taps.rows) * len(taps.cols) * taps.each(), products(taps)
        rows, columns = (Counter(tuple(n >= 0 for n in line) for line in table) for table in taps)
        needed = 0
        for row, of_rows in rows.items():
            for column, of_columns in columns.items():
                needed += of_rows * of_columns * sum(map(and_, row, column))
        return needed, products(taps)
