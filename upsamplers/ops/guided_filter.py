"""Fast guided filter: w(p, q) = Σ_c β_c/N_c·[1 + (x_q − μ_c)(X_p − μ_c)/(σ²_c + ε)] over the bilinear cells c around p.

x is the image at the size of z, X at that of the output; μ_c and σ²_c are those of the N_c cells inside the (2r + 1)²
around c, and q is one of them; corners are aligned. w [B, G, (2r + 2)², Ho, Wo], Σw = 1; weights may be negative.
G = 1 where the guide has one channel, or is an image, of which the mean is taken; C where it has as many as z.
Wu et al., CVPR 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from upsamplers.errors import Unsupported
from upsamplers.image_encoder import pooled
from upsamplers.image_guided import IMAGE, ImageGuided, Size
from upsamplers.operator import Facts, Paper, check_option
from upsamplers.primitive import Taps
from upsamplers.primitive.taps import Table, constant, crossed
from upsamplers.primitive.uploads import integers, numbers
from upsamplers.tracing import sides, sizes


class GuidedFilter(ImageGuided):
    """The fast guided filter (DeepGuidedFilter's layer without its convolutions). No parameters.

    The image at the size of z is its bilinear reduction with antialiasing, as the authors prepare it.

    Args:
        channels: of no effect; None for any.
        guide_channels: Cg: 1, 3 (their mean is taken), or those of z, one for each.
        scale: of the output whose size is not given.
        radius: r, cells of z; both sides of z have more than 2r + 1.
        eps: ε, in squared values of the image.

    Raises:
        OptionError: a radius below 1, or an ε that is not above 0.
        Unsupported: channels of a guide that are neither.
    """

    facts = Facts(
        name="guided_filter",
        title="Fast guided filter",
        family="first order",
        paper=Paper(
            "Huikai Wu, Shuai Zheng, Junge Zhang, Kaiqi Huang",
            "Fast End-to-End Trainable Guided Filter",
            "CVPR",
            2018,
            "1803.05619",
        ),
        kernel_size=4,
        groups="1, or C",
        taps="(2r+2)²",
        guide="required",
        border="table",
        guide_size="any",
        call="FastGuidedFilter(r, eps)(image_low, features, image) is op(features, image)",
        any_channels=True,
    )

    def __init__(
        self,
        channels: int | None,
        guide_channels: int | None = None,
        scale: int = 2,
        *,
        radius: int = 1,
        eps: float = 1e-4,
    ) -> None:
        super().__init__(channels, guide_channels, scale)
        check_option(radius >= 1, "guided_filter", "radius", radius, "an integer >= 1")
        check_option(eps > 0, "guided_filter", "eps", eps, "a number above 0")
        if channels is not None and self.guide_channels not in (1, IMAGE, channels):
            raise Unsupported(f"guided_filter: the guide must have 1, 3 or {channels} channels; got {guide_channels}")
        self.radius, self.eps = radius, eps
        self.planes = 3

    @property
    def least_size(self) -> int:
        """One more than a window's side."""
        return 2 * self.radius + 2

    def table(self, z_size: Size, size: Size) -> Taps:
        """The union of the windows of the two cells along each axis."""
        rows, columns = (reached(n, out, self.radius) for n, out in zip(z_size, size, strict=True))
        return Taps(*crossed(rows, columns))

    def prepare(self, z: Tensor, guide: Tensor, size: Size) -> tuple[Tensor, ...]:
        """X [B, G, Ho, Wo]; x, its means and variances plus ε, and N, [B or 1, G, h, w]."""
        if sizes(guide)[1] not in (1, sizes(z)[1]):
            guide = guide.mean(1, keepdim=True)
        kind = torch.promote_types(guide.dtype, torch.float32)  # a difference of squares has no digits in a half type
        small = shrunk(guide.to(kind), sides(z))
        inside = [integers(_inside(side, self.radius), z.device).to(small.dtype) for side in sides(z)]
        counts = (inside[0][:, None] * inside[1])[None, None]
        mean, square = (self._window_sum(part) / counts for part in (small, small.square()))
        return pooled(guide, size), small, mean, square - mean.square() + self.eps, counts

    def _window_sum(self, x: Tensor) -> Tensor:
        side = 2 * self.radius + 1
        # ONNX knows no divisor of one's own, and its exporter leaves one out without a word
        return side**2 * functional.avg_pool2d(x, side, 1, self.radius)

    def kernels(self, state: tuple[Tensor, ...], taps: Taps, rows: slice) -> Tensor:
        """w [B, G, (2r + 2)², r, Wo]."""
        image, small, mean, spread, counts = state
        (height, width), (outs, columns), side = sides(small), sides(image), 2 * self.radius + 2
        image = image[:, :, rows]
        cells = [integers(cell(n, out)[0], image.device) for n, out in ((height, outs), (width, columns))]
        shares = [numbers(cell(n, out)[1], small) for n, out in ((height, outs), (width, columns))]
        y, x = (integers(table, image.device).clamp(min=0) for table in taps)  # [r, K], [Wo, K]
        flat = (y[:, None] * width + x[None]).permute(2, 0, 1)  # [K, r, Wo]
        read = small.flatten(2).index_select(2, flat.flatten()).unflatten(2, sizes(flat))  # [B, G, K, r, Wo]
        there = (integers(taps.rows, image.device) >= 0)[:, None] & (integers(taps.cols, image.device) >= 0)[None]
        kind, image = image.dtype, image.to(small.dtype)
        total: Tensor | None = None
        for dy in (0, 1):
            for dx in (0, 1):
                at = [(cells[0] + dy)[rows], cells[1] + dx]
                share = [one if step else 1 - one for one, step in zip(shares, (dy, dx), strict=True)]
                beta = share[0][rows][:, None] * share[1]
                mu, var, count = (part.index_select(2, at[0]).index_select(3, at[1]) for part in (mean, spread, counts))
                slope = (image - mu) / var
                value = (beta / count).unsqueeze(2) * (1 + (read - mu.unsqueeze(2)) * slope.unsqueeze(2))
                inside = integers(_of_cell(side, dy, dx), image.device) > 0
                part = value * inside[:, None, None].to(value.dtype)
                total = part if total is None else total + part
        assert total is not None
        return (total * there.permute(2, 0, 1).to(total.dtype)).to(kind)

    def macs(self, height: int, width: int) -> int:
        """The image's reduction, and the reassembly, for each cell in reach."""
        return self._shrinking(height, width) + self.channels * self.tile_products(height, width)[0]

    def computed_macs(self, height: int, width: int) -> int:
        """With those of tiles that are padded."""
        return self._shrinking(height, width) + self.channels * self.tile_products(height, width)[1]

    def _shrinking(self, height: int, width: int) -> int:
        groups = self.channels if self.guide_channels == self.channels else 1
        return groups * height * self.scale * width * (self.scale * height + width)


def shrunk(image: Tensor, size: Size) -> Tensor:
    """Bilinear reduction with antialiasing, [B, G, *size] of [B, G, H, W], as two products of matrices: runtimes of
    exported programs have filters of their own."""
    rows, columns = (numbers(reduction(n, out), image) for n, out in zip(sides(image), size, strict=True))
    maps = image.flatten(0, 1)
    count = sizes(maps)[0]
    with torch.autocast(image.device.type, enabled=False):
        lines = torch.bmm(rows.expand(count, -1, -1), maps)
        return torch.bmm(lines, columns.t().expand(count, -1, -1)).unflatten(0, sizes(image)[:2])


@constant
def reduction(pixels: int, outputs: int) -> tuple[tuple[float, ...], ...]:
    """Shares of the pixels along an axis in each output, [outputs, pixels]: triangles as wide as the ratio."""
    step = pixels / outputs
    reach = max(step, 1.0)
    found = []
    for output in range(outputs):
        centre = step * (output + 0.5)
        first, end = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), pixels)
        line = [max(0.0, 1 - abs(n - centre + 0.5) / reach) if first <= n < end else 0.0 for n in range(pixels)]
        found.append(tuple(one / sum(line) for one in line))
    return tuple(found)


@constant
def cell(cells: int, outputs: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The first of the two cells around each output along an axis, and the share of the second; corners aligned."""
    places = [output * (cells - 1) / max(outputs - 1, 1) for output in range(outputs)]
    first = tuple(min(int(place), cells - 2) for place in places)
    return first, tuple(place - one for place, one in zip(places, first, strict=True))


@constant
def reached(cells: int, outputs: int, radius: int) -> Table:
    """The 2r + 2 cells that each output reads along an axis, −1 outside."""
    span = range(-radius, radius + 2)
    return tuple(tuple(n if 0 <= n < cells else -1 for n in (c + k for k in span)) for c in cell(cells, outputs)[0])


@constant
def _inside(cells: int, radius: int) -> tuple[int, ...]:
    return tuple(min(n + radius, cells - 1) - max(n - radius, 0) + 1 for n in range(cells))


@constant
def _of_cell(side: int, dy: int, dx: int) -> tuple[int, ...]:
    """Which taps of the union, row-major, are in the window of the cell that lies dy, dx from the first."""
    return tuple(int(dy <= y < side - 1 + dy and dx <= x < side - 1 + dx) for y in range(side) for x in range(side))
