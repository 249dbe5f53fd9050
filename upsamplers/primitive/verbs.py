"""The public verbs: `reassemble`, `correlate` and `downassemble`, with every shape checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from upsamplers.errors import nearest_hint
from upsamplers.primitive import library as library
from upsamplers.primitive import plans, route, tables, written_out
from upsamplers.primitive.backends import choose, is_written_out
from upsamplers.primitive.taps import Taps
from upsamplers.primitive.window import BORDERS
from upsamplers.tracing import is_jit, unrecorded


def _require(holds: bool, message: Callable[[], str]) -> None:
    if not holds:  # a message costs more than the check, and a trace would record what it prints
        raise ValueError(message())


def _shapes(**tensors: Tensor) -> str:
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())


def _require_border(name: str, border: str) -> None:
    if border not in BORDERS:  # the hint is slow and cannot be traced: made only where it is needed
        raise ValueError(f"{name}: no border {border!r}; {nearest_hint(str(border), BORDERS)}")


def _check_common(name: str, w: Tensor, z: Tensor, scale: int, kernel_size: int, border: str) -> None:
    _require(w.ndim == 5, lambda: f"{name}: w must be [B or 1, G, K, height, width]; got {_shapes(w=w, z=z)}")
    _require(z.ndim == 4, lambda: f"{name}: the map must be [B, C, H, W]; got {_shapes(w=w, z=z)}")
    _require(
        w.is_floating_point() and z.is_floating_point(),
        lambda: f"{name}: floating point only; got {w.dtype}, {z.dtype}",
    )
    _require(w.device == z.device, lambda: f"{name}: w is on {w.device}, z on {z.device}; both must be on one device")
    _require(scale >= 1, lambda: f"{name}: scale must be an integer >= 1; got {scale}")
    _require(kernel_size >= 1, lambda: f"{name}: kernel_size must be >= 1; got {kernel_size}")
    _require_border(name, border)
    _require(
        w.shape[0] in (1, z.shape[0]),
        lambda: f"{name}: w must have batch 1 or that of the map; got {_shapes(w=w, z=z)}",
    )


def _check_points(points: Tensor, w: Tensor, z: Tensor, scale: int, kernel_size: int) -> None:
    size = (2, scale * z.shape[2], scale * z.shape[3])
    samples = points.shape[2:-3]  # P where there is an axis for it
    expected = (z.shape[0], w.shape[1], *samples, *size)
    _require(
        kernel_size == 2, lambda: f"reassemble: points have the 2×2 corners as taps: kernel_size 2; got {kernel_size}"
    )
    _require(
        points.ndim in (5, 6) and tuple(points.shape) == expected,
        lambda: f"reassemble: points must be {(*expected[:2], *size)}, or have P after G; got {tuple(points.shape)}",
    )
    _require(
        tuple(w.shape[2:]) == (4 * math.prod(samples), *size[1:]),
        lambda: f"reassemble: w must have 4 taps per point; got {tuple(w.shape)} for points {tuple(points.shape)}",
    )
    _require(points.device == z.device, lambda: f"reassemble: points are on {points.device}, z on {z.device}")


def reassemble(
    w: Tensor,
    z: Tensor,
    *,
    scale: int = 0,
    kernel_size: int = 0,
    border: str = "zero",
    points: Tensor | None = None,
    taps: Taps | None = None,
    backend: str | None = None,
) -> Tensor:
    """g(w, z) = wᵀz: every output point is the inner product of its kernel with its neighbourhood in z.

    The window of output point (i, j) is the k×k one around (⌊i/s⌋, ⌊j/s⌋) of z; taps are row-major.

    Args:
        w: kernels [B or 1, G, K, sH, sW], or one phase [1, G, K, s, s] that repeats. Channel c of z uses group
            ⌊c/(C/G)⌋. K = k²; where K = C·k² the taps run over (c_in, ky, kx), and the output has G channels. With
            `points` K = 4P, the corners of each point in turn.
        z: [B, C, H, W].
        scale: s >= 1.
        kernel_size: k, odd; with `points` it is 2, the side of the four bilinear corners.
        border: what lies outside z: "zero", "replicate" or "reflect" (mirror without repeating the edge).
        points: [B, G, 2, sH, sW], or [B, G, P, 2, sH, sW] where each output reads at P of them; x before y, in pixels
            of z: the taps are the corners (⌊y⌋, ⌊x⌋), right, below and diagonal. Data, not differentiated:
            derivatives flow through w.
        taps: what each output reads, in place of scale, kernel_size, border and points: tables rows [Ho, K] and
            cols [Wo, K]. w is then [B or 1, G, K, Ho, Wo] and the output [B, C, Ho, Wo], of any size. Tables run as
            products of matrices, on every device; there is no choice of backend.
        backend: force one; else the environment variable UPSAMPLERS_BACKEND, else the best for device and dtype.

    Returns:
        [B, C, sH, sW] (or [B, G, sH, sW] where w mixes channels), in the wider dtype of w and z, channels_last
        where z is. Differentiable to any order in w and z.

    Raises:
        ValueError: shapes, devices or options that do not fit, with the shapes.
    """

    if taps is not None:
        tables.check_reassemble(w, z, taps, scale, kernel_size, points, backend)
        return tables.reassemble(w, z, taps)
    if is_jit():  # operations that hold at any size; what was checked at this one is no part of them
        with unrecorded():
            reassemble(w, z, scale=scale, kernel_size=kernel_size, border=border, points=points)
        return written_out.reassemble(w, z, points, scale, kernel_size, border)
    key = route.direct_key("checked reassemble", w, z, points, (), scale, kernel_size, border, backend)
    if key is not None and (plan := plans.kept(key)) is not None:
        return plan(w, z, points)

    def given() -> str:
        return f"{_shapes(w=w, z=z)}, scale {scale}, kernel_size {kernel_size}"

    _check_common("reassemble", w, z, scale, kernel_size, border)
    channels, (groups, count) = z.shape[1], w.shape[1:3]
    if points is not None:
        _check_points(points, w, z, scale, kernel_size)
    else:
        _require(kernel_size % 2 == 1, lambda: f"reassemble: kernel_size must be odd; got {kernel_size}")
        full, phase = (scale * z.shape[2], scale * z.shape[3]), (scale, scale)
        fits = tuple(w.shape[3:]) == full or (tuple(w.shape[3:]) == phase and w.shape[0] == 1)
        _require(
            fits,
            lambda: f"reassemble: w must be {full} large, or one phase {phase} with batch 1; got {given()}",
        )
    mixes = count == channels * kernel_size**2 and channels > 1 and points is None
    _require(
        mixes or points is not None or count == kernel_size**2,
        lambda: f"reassemble: w must have k² or C·k² taps; got {given()}",
    )
    if not mixes:
        _require(
            groups >= 1 and channels % groups == 0,
            lambda: f"reassemble: G must divide C; got {given()}",
        )
    if is_written_out(backend):
        return written_out.reassemble(w, z, points, scale, kernel_size, border)
    return route.call(key, "reassemble", w, z, points, (), scale, kernel_size, border, choose(z, backend))


def correlate(
    g: Tensor,
    z: Tensor,
    *,
    groups: int = 1,
    scale: int = 0,
    kernel_size: int = 0,
    border: str = "zero",
    taps: Taps | None = None,
    backend: str | None = None,
) -> Tensor:
    """The local inner products ⟨g, z⟩ over each group's channels at every tap: the adjoint of `reassemble` in w.

    w[b, G, K, i, j] = Σ_c g[b, c, i, j] · z[b, c, ⌊i/s⌋ + ky − ⌊k/2⌋, ⌊j/s⌋ + kx − ⌊k/2⌋]: the affinity of a
    high-resolution map with the neighbourhood of a low-resolution one.

    Args:
        g: [B, C, sH, sW].
        z: [B, C, H, W].
        groups: G, divides C.
        scale: s >= 1.
        kernel_size: k, odd.
        border: what lies outside z.
        taps: as in `reassemble`; g is then [B, C, Ho, Wo].
        backend: as in `reassemble`.

    Returns:
        [B, G, k², sH, sW], or [B, G, K, Ho, Wo] by a table.

    Raises:
        ValueError: shapes, devices or options that do not fit, with the shapes.
    """

    if taps is not None:
        tables.check_correlate(g, z, taps, groups, scale, kernel_size, backend)
        return tables.correlate(g, z, taps, groups)
    if is_jit():
        with unrecorded():
            correlate(g, z, groups=groups, scale=scale, kernel_size=kernel_size, border=border)
        return written_out.correlate(g, z, groups, scale, kernel_size, border)
    key = route.direct_key("checked correlate", g, z, None, groups, scale, kernel_size, border, backend)
    if key is not None and (plan := plans.kept(key)) is not None:
        return plan(g, z, None)

    def given() -> str:
        return f"{_shapes(g=g, z=z)}, scale {scale}"

    _require(
        g.ndim == 4 and z.ndim == 4,
        lambda: f"correlate: both maps must be [B, C, H, W]; got {given()}",
    )
    _require(
        scale >= 1 and kernel_size % 2 == 1,
        lambda: f"correlate: scale >= 1, kernel_size odd; got {scale}, {kernel_size}",
    )
    _require(
        g.shape == (*z.shape[:2], scale * z.shape[2], scale * z.shape[3]),
        lambda: f"correlate: sizes differ; got {given()}",
    )
    _require_border("correlate", border)
    _require(
        groups >= 1 and z.shape[1] % groups == 0,
        lambda: f"correlate: groups must divide C; got {groups}, {given()}",
    )
    _require(
        g.device == z.device, lambda: f"correlate: g is on {g.device}, z on {z.device}; both must be on one device"
    )
    if is_written_out(backend):
        return written_out.correlate(g, z, groups, scale, kernel_size, border)
    # A graph that a counter records holds sizes as tensors, which an operator's list of integers cannot take.
    batch, height, width = (int(n) if isinstance(n, Tensor) else n for n in (g.shape[0], *g.shape[2:]))
    w_shape = (batch, groups, kernel_size**2, height, width)
    return route.call(key, "correlate", g, z, None, w_shape, scale, kernel_size, border, choose(z, backend))


def downassemble(
    w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str = "zero", backend: str | None = None
) -> Tensor:
    """The downsampling twin: every low-resolution point is the inner product of its kernel with its window in x.

    The window of output point (p, q) starts at (s·p − ⌊(k−s)/2⌋, s·q − ⌊(k−s)/2⌋); taps are row-major.

    Args:
        w: kernels [B or 1, G, k², H, W]. Channel c of x uses group ⌊c/(C/G)⌋.
        x: [B, C, sH, sW].
        scale: s >= 1.
        kernel_size: k >= 1, odd or even.
        border: what lies outside x: "zero", "replicate" or "reflect".
        backend: as in `reassemble`.

    Returns:
        [B, C, H, W], in the wider dtype of w and x, channels_last where x is. Differentiable to any order.

    Raises:
        ValueError: shapes, devices or options that do not fit, with the shapes.
    """

    if is_jit():
        with unrecorded():
            downassemble(w, x, scale, kernel_size, border)
        return written_out.downassemble(w, x, scale, kernel_size, border)
    key = route.direct_key("checked downassemble", w, x, None, (), scale, kernel_size, border, backend)
    if key is not None and (plan := plans.kept(key)) is not None:
        return plan(w, x, None)

    def given() -> str:
        return f"{_shapes(w=w, x=x)}, scale {scale}, kernel_size {kernel_size}"

    _check_common("downassemble", w, x, scale, kernel_size, border)
    fits = tuple(x.shape[2:]) == (scale * w.shape[3], scale * w.shape[4])
    _require(
        fits,
        lambda: f"downassemble: x must be s times as large as w; got {given()}",
    )
    _require(
        w.shape[2] == kernel_size**2,
        lambda: f"downassemble: w must have k² taps; got {given()}",
    )
    _require(
        w.shape[1] >= 1 and x.shape[1] % w.shape[1] == 0,
        lambda: f"downassemble: G must divide C; got {given()}",
    )
    if is_written_out(backend):
        return written_out.downassemble(w, x, scale, kernel_size, border)
    return route.call(key, "downassemble", w, x, None, (), scale, kernel_size, border, choose(x, backend))
