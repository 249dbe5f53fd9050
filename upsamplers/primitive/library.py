"""The primitives as `torch.library` operators: implementation by backend, shapes, derivatives and cost.

`reassemble` is bilinear in (w, z), and so are its two adjoints `correlate` (in w) and `spread` (in z): each one's
derivatives are the other two, so derivatives of any order exist. The same holds for the three `down` operators.
`points` are data: derivatives flow through w.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from upsamplers.primitive import plans, route
from upsamplers.primitive.eager import layout, result_dtype
from upsamplers.primitive.macs import MACS


def planned(
    primitive: str, first: Tensor, second: Tensor, points: Tensor | None, shape: Sequence[int], *options: Any
) -> Tensor:
    """The primitive by its plan. What calls an operator itself has passed no checks, so its plans are its own."""
    key = plans.key(primitive, first, second, points, tuple(shape), *options)
    return plans.run(key, primitive, first, second, points, tuple(shape), *options)


_UP = "int scale, int kernel_size, str border, str backend) -> Tensor"


@torch.library.custom_op(
    "upsamplers::reassemble", mutates_args=(), schema=f"(Tensor w, Tensor z, Tensor? points, {_UP}"
)
def reassemble(
    w: Tensor, z: Tensor, points: Tensor | None, scale: int, kernel_size: int, border: str, backend: str
) -> Tensor:
    """y [B, C, sH, sW], or [B, G, sH, sW] where channels mix."""
    return planned("reassemble", w, z, points, (), scale, kernel_size, border, backend)


@torch.library.custom_op(
    "upsamplers::correlate", mutates_args=(), schema=f"(Tensor g, Tensor z, Tensor? points, SymInt[] w_shape, {_UP}"
)
def correlate(
    g: Tensor,
    z: Tensor,
    points: Tensor | None,
    w_shape: Sequence[int],
    scale: int,
    kernel_size: int,
    border: str,
    backend: str,
) -> Tensor:
    """∂/∂w of ⟨g, reassemble(w, z)⟩, of shape w_shape."""
    return planned("correlate", g, z, points, w_shape, scale, kernel_size, border, backend)


@torch.library.custom_op(
    "upsamplers::spread", mutates_args=(), schema=f"(Tensor w, Tensor g, Tensor? points, SymInt[] z_shape, {_UP}"
)
def spread(
    w: Tensor,
    g: Tensor,
    points: Tensor | None,
    z_shape: Sequence[int],
    scale: int,
    kernel_size: int,
    border: str,
    backend: str,
) -> Tensor:
    """∂/∂z of ⟨g, reassemble(w, z)⟩, of shape z_shape, channels_last where g is."""
    return planned("spread", w, g, points, z_shape, scale, kernel_size, border, backend)


@torch.library.custom_op("upsamplers::downassemble", mutates_args=(), schema=f"(Tensor w, Tensor x, {_UP}")
def downassemble(w: Tensor, x: Tensor, scale: int, kernel_size: int, border: str, backend: str) -> Tensor:
    """z [B, C, H, W]."""
    return planned("downassemble", w, x, None, (), scale, kernel_size, border, backend)


@torch.library.custom_op(
    "upsamplers::down_correlate", mutates_args=(), schema=f"(Tensor g, Tensor x, SymInt[] w_shape, {_UP}"
)
def down_correlate(
    g: Tensor, x: Tensor, w_shape: Sequence[int], scale: int, kernel_size: int, border: str, backend: str
) -> Tensor:
    """∂/∂w of ⟨g, downassemble(w, x)⟩, of shape w_shape."""
    return planned("down_correlate", g, x, None, w_shape, scale, kernel_size, border, backend)


@torch.library.custom_op(
    "upsamplers::down_spread", mutates_args=(), schema=f"(Tensor w, Tensor g, SymInt[] x_shape, {_UP}"
)
def down_spread(
    w: Tensor, g: Tensor, x_shape: Sequence[int], scale: int, kernel_size: int, border: str, backend: str
) -> Tensor:
    """∂/∂x of ⟨g, downassemble(w, x)⟩, of shape x_shape, channels_last where g is."""
    return planned("down_spread", w, g, None, x_shape, scale, kernel_size, border, backend)


def _as_map(like: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """An uninitialised map in the memory format of `like`."""
    return torch.empty(tuple(shape), dtype=dtype, device=like.device, memory_format=layout(like))


@reassemble.register_fake
def _(w, z, points, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    mixes = points is None and w.shape[2] != kernel_size**2
    channels = w.shape[1] if mixes else z.shape[1]
    return _as_map(z, (z.shape[0], channels, scale * z.shape[2], scale * z.shape[3]), result_dtype(w, z))


@downassemble.register_fake
def _(w, x, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    return _as_map(x, (*x.shape[:2], x.shape[2] // scale, x.shape[3] // scale), result_dtype(w, x))


@correlate.register_fake
def _(g, z, points, w_shape, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    return g.new_empty(tuple(w_shape), dtype=result_dtype(g, z))


@down_correlate.register_fake
def _(g, x, w_shape, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    return g.new_empty(tuple(w_shape), dtype=result_dtype(g, x))


@spread.register_fake
def _(w, g, points, z_shape, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    return _as_map(g, z_shape, result_dtype(w, g))


@down_spread.register_fake
def _(w, g, x_shape, scale, kernel_size, border, backend):  # type: ignore[no-untyped-def]
    return _as_map(g, x_shape, result_dtype(w, g))


# Each triple closes under differentiation. A context keeps (first, second, points) and the plain arguments.


def _keep_up(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, points, *_ = inputs
    ctx.save_for_backward(first, second, points)
    ctx.plain = inputs[-4:]


def _keep_down(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.plain = inputs[-4:]


def _gradient(
    like: Tensor, primitive: str, first: Tensor, second: Tensor, points: Tensor | None, shape: Sequence[int],
    *options: Any,
) -> Tensor:  # fmt: skip
    """A primitive as a derivative of another: straight to the backend unless it is differentiated in turn."""
    key = route.direct_key(primitive, first, second, points, tuple(shape), *options)
    out = route.call(key, primitive, first, second, points, shape, *options)
    return out if out.dtype == like.dtype else out.to(like.dtype)


def _reassemble_backward(ctx: Any, gy: Tensor) -> tuple[Any, ...]:
    w, z, points = ctx.saved_tensors
    gw = _gradient(w, "correlate", gy, z, points, w.shape, *ctx.plain) if ctx.needs_input_grad[0] else None
    gz = _gradient(z, "spread", w, gy, points, z.shape, *ctx.plain) if ctx.needs_input_grad[1] else None
    return gw, gz, None, None, None, None, None


def _correlate_backward(ctx: Any, gw: Tensor) -> tuple[Any, ...]:
    g, z, points = ctx.saved_tensors
    gg = _gradient(g, "reassemble", gw, z, points, (), *ctx.plain) if ctx.needs_input_grad[0] else None
    gz = _gradient(z, "spread", gw, g, points, z.shape, *ctx.plain) if ctx.needs_input_grad[1] else None
    return gg, gz, None, None, None, None, None, None


def _spread_backward(ctx: Any, gz: Tensor) -> tuple[Any, ...]:
    w, g, points = ctx.saved_tensors
    gw = _gradient(w, "correlate", g, gz, points, w.shape, *ctx.plain) if ctx.needs_input_grad[0] else None
    gg = _gradient(g, "reassemble", w, gz, points, (), *ctx.plain) if ctx.needs_input_grad[1] else None
    return gw, gg, None, None, None, None, None, None


def _downassemble_backward(ctx: Any, gy: Tensor) -> tuple[Any, ...]:
    w, x = ctx.saved_tensors
    gw = _gradient(w, "down_correlate", gy, x, None, w.shape, *ctx.plain) if ctx.needs_input_grad[0] else None
    gx = _gradient(x, "down_spread", w, gy, None, x.shape, *ctx.plain) if ctx.needs_input_grad[1] else None
    return gw, gx, None, None, None, None


def _down_correlate_backward(ctx: Any, gw: Tensor) -> tuple[Any, ...]:
    g, x = ctx.saved_tensors
    gg = _gradient(g, "downassemble", gw, x, None, (), *ctx.plain) if ctx.needs_input_grad[0] else None
    gx = _gradient(x, "down_spread", gw, g, None, x.shape, *ctx.plain) if ctx.needs_input_grad[1] else None
    return gg, gx, None, None, None, None, None


def _down_spread_backward(ctx: Any, gx: Tensor) -> tuple[Any, ...]:
    w, g = ctx.saved_tensors
    gw = _gradient(w, "down_correlate", g, gx, None, w.shape, *ctx.plain) if ctx.needs_input_grad[0] else None
    gg = _gradient(g, "downassemble", w, gx, None, (), *ctx.plain) if ctx.needs_input_grad[1] else None
    return gw, gg, None, None, None, None, None


reassemble.register_autograd(_reassemble_backward, setup_context=_keep_up)
correlate.register_autograd(_correlate_backward, setup_context=_keep_up)
spread.register_autograd(_spread_backward, setup_context=_keep_up)
downassemble.register_autograd(_downassemble_backward, setup_context=_keep_down)
down_correlate.register_autograd(_down_correlate_backward, setup_context=_keep_down)
down_spread.register_autograd(_down_spread_backward, setup_context=_keep_down)


def _register_flops(name: str) -> None:
    @register_flop_formula(getattr(torch.ops.upsamplers, name))
    def flops(first_shape: Any, second_shape: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
        return 2 * MACS[name]((first_shape, second_shape), out_shape)


__all__ = ["correlate", "down_correlate", "down_spread", "downassemble", "reassemble", "spread"]

for _name in __all__:
    _register_flops(_name)
