"""The kernels of one operator on one picture: each as a map over the low-resolution neighbourhood, and its entropy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from a2u_bench import operators
from a2u_bench.errors import UsageError
from a2u_bench.export.plots.kernels.features import halve, lift, normalised

POINTS = 4
"""Points of a picture that are worth a look."""

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Look:
    """An operator's kernels w [G, K, sH, sW], or one phase [G, K, s, s] that repeats, and how to read them.

    `points` are where z is read, [G, 2, sH, sW] or [G, P, 2, sH, sW], x before y; `taps_at` are the rows of z [sH, K]
    and the columns [sW, K] that each output reads, −1 for none. None of both: the window of side `kernel_size`.
    """

    name: str
    w: Array
    points: Array | None
    kernel_size: int
    scale: int
    height: int  # of the output
    width: int
    mixes_channels: bool
    taps_at: tuple[Places, Places] | None = None
    reads_enlarged: bool = False  # a map of the output's size, over whose pixels the window is

    @property
    def groups(self) -> int:
        """G."""
        return int(self.w.shape[0])

    @property
    def taps(self) -> int:
        """Taps of one kernel in space."""
        return self.kernel_size**2 if self.points is None and self.taps_at is None else int(self.w.shape[1])

    def kernel(self, group: int, y: int, x: int) -> Array:
        """The kernel of output (y, x) over low-res offsets [2r + 1, 2r + 1] from (⌊y/s⌋, ⌊x/s⌋); NaN where unread.

        Of an operator that contracts channels too: the sum over channels, what a feature alike in all of them meets.
        """
        w = self.w[group, :, y % self.w.shape[2], x % self.w.shape[3]]
        if self.mixes_channels:
            w = w.reshape(-1, self.taps).sum(0)
        if self.taps_at is not None:
            rows, columns = self.taps_at[0][y] - y // self.scale, self.taps_at[1][x] - x // self.scale
            there = (self.taps_at[0][y] >= 0) & (self.taps_at[1][x] >= 0)
            return _placed(w[there], rows[there], columns[there])
        if self.points is None:
            return w.reshape(self.kernel_size, self.kernel_size)
        at = np.floor(self.points[group, ..., y, x].reshape(-1, 2)).astype(int)  # [P, 2]
        at -= (x // self.scale, y // self.scale)
        corners = [(row + y, column + x) for column, row in at for y in (0, 1) for x in (0, 1)]
        return _placed(w.reshape(-1), *np.array(corners).T)

    def map(self) -> Array:
        """Over the output [sH, sW]: the entropy of |w| in bits, mean over groups; w itself where there is one tap."""
        w = self.w
        if self.mixes_channels:
            w = w.reshape(self.groups, -1, self.taps, *w.shape[2:]).sum(1)
        found = w.mean((0, 1)) if self.taps == 1 else entropy(w).mean(0)
        return np.tile(found, (self.height // found.shape[0], self.width // found.shape[1]))


def _placed(w: Array, rows: Places, columns: Places) -> Array:
    """Weights at these offsets as a map with the offset 0 in its middle; what is read twice is summed."""
    if not w.size:  # nothing is in reach: the output is 0
        return np.zeros((1, 1))
    reach = max(int(np.abs(rows).max()), int(np.abs(columns).max()))
    kernel = np.full((2 * reach + 1, 2 * reach + 1), np.nan)
    kernel[rows + reach, columns + reach] = 0
    np.add.at(kernel, (rows + reach, columns + reach), w)
    return kernel


def entropy(w: Array) -> Array:
    """Entropy in bits of the shares |w| of each kernel [G, K, …]: 0 for one tap, log2 K for a box; 0 where w is 0."""
    size = np.abs(w)
    total = size.sum(1, keepdims=True)
    share = size / np.where(total > 0, total, 1)
    return -(share * np.log2(np.where(share > 0, share, 1))).sum(1)


def look_at(
    image: Array, operator: str, *, scale: int | None, channels: int, seed: int, weights: str | None = None
) -> tuple[Look, Array]:
    """The kernels that an operator makes on features of the picture, and the part of the picture that was used.

    Without `weights`, a state dict trained with the authors' code, the module is as its constructor leaves it.
    UsageError where there can be no such operator, or the weights do not fit.
    """
    module = (
        operators.seeded(operator, channels, scale or 2, seed)
        if weights is None
        else operators.official(operator, weights, scale)
    )
    step = module.scale
    height, width = (side - side % step for side in image.shape[:2])
    used = image[:height, :width]
    by_image = module.facts.guide_size == "any"
    guide = normalised(used) if by_image and module.guide_channels == 3 else lift(used, module.guide_channels, seed)
    z = halve(lift(used, module.channels or channels, seed), step)
    try:
        w, points, taps = operators.kernels(module, z, guide)
    except ValueError as error:
        raise UsageError(f"kernels: {error}") from None
    at = None if taps is None else (np.array(taps.rows), np.array(taps.cols))
    mixes, enlarged = module.facts.mixes_channels, by_image and at is None
    return Look(operator, w, points, module.kernel_size, step, height, width, mixes, at, enlarged), used


def usual_scale(wanted: Sequence[str]) -> int:
    """The scale of a picture without a scale that is asked for: larger where an image guides one of the operators."""
    guides = {operators.facts(operators.operator(text).name).guide_size for text in wanted}
    return 8 if "any" in guides else 2


def chosen_points(image: Array, count: int = POINTS) -> list[tuple[int, int]]:
    """Points (x, y) worth a look: the steepest edges that are apart from each other, and the flattest place last."""
    grey = image.mean(2)
    down, right = np.gradient(grey)
    steep = np.hypot(down, right)
    # A pixel's own gradient is noise: the mean of its surroundings tells edges from texture and flat from both.
    window = np.pad(steep, 2, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(window, (5, 5)).mean((2, 3))
    height, width = grey.shape
    edge = min(8, height // 4, width // 4)
    inside = np.zeros_like(around, dtype=bool)
    inside[edge : height - edge, edge : width - edge] = True
    apart = min(height, width) / 4
    rows, columns = np.mgrid[:height, :width]
    found: list[tuple[int, int]] = []
    for number in range(count):
        flat = number == count - 1
        score = np.where(inside, -around if flat else around, -np.inf)
        if not np.isfinite(score).any():
            break
        y, x = (int(index) for index in np.unravel_index(int(score.argmax()), score.shape))
        found.append((x, y))
        inside &= np.hypot(rows - y, columns - x) > apart
    return found


def reach(looks: Sequence[Look], points: Sequence[tuple[int, int]], group: int) -> int:
    """Low-res points from the middle to the edge of the widest kernel among these, at least 2 and at most 6."""
    sides = [look.kernel(min(group, look.groups - 1), y, x).shape[0] for look in looks for x, y in points]
    return min(max([2, *(side // 2 for side in sides)]), 6)
