"""What a module gives: its kernels, its output by its definition, and the multiply-adds of the primitives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from upsamplers import Taps, Upsampler


def kernels(
    module: Upsampler, z: NDArray[Any], guide: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, Taps | None]:
    """The kernels [G, K, sH, sW] or [G, K, s, s] that a module makes of z [C, H, W] and a guide [Cg, sH, sW].

    Beside them where z is read: points [G, 2, sH, sW], or a table of taps; neither for a fixed window.
    """
    import torch

    dtype = next((parameter.dtype for parameter in module.parameters()), torch.float32)
    inputs = [torch.from_numpy(part)[None].to(dtype) for part in (z, guide)]
    with torch.inference_mode():
        given = (inputs[0], None) if module.needs_guide == "none" else (inputs[0], inputs[1])
        w, read = module.weights(*given), module.reads(*given)[1]
    points = read.get("points")
    return w[0].double().numpy(), None if points is None else points[0].double().numpy(), read.get("taps")


def definition(module: nn.Module, z: Tensor, guide: Tensor | None) -> Tensor:
    """What the module should give: wᵀz by plain PyTorch, from the module's own weights, then its epilogue.

    Of a network, what it gives with every operator in it so defined; it stays so.
    """
    from upsamplers import Upsampler

    with _plain():
        if isinstance(module, Upsampler):
            return _defined(module, z, guide)
        for part in module.modules():
            if isinstance(part, Upsampler):
                part.forward = partial(_defined, part)  # type: ignore[method-assign]
                part.halve = partial(_halved, part)  # type: ignore[method-assign]
        output: Tensor = module(z)
        return output


def ceiling(z: Tensor, target: Tensor, kernel_size: int, form: str) -> tuple[Tensor, Tensor]:
    """What the best kernels of a form make of z, and the gap of their squared error at each point, in float64.

    One kernel for all channels over a window with replicated borders: `simplex`, or `sigmoid-softmax`, whose weights
    are bounded as those of a softmax of sigmoids are.
    """
    from upsamplers import ceiling as best
    from upsamplers.ceiling import sigmoid_softmax_box

    box = sigmoid_softmax_box(kernel_size**2)
    found = best(z, target, kernel_size, "simplex" if form == "simplex" else box, border="replicate")
    return found.output, found.gap[:, 0]


def section(module: Upsampler, z: Tensor, guide: Tensor) -> str:
    """What kind of kernels a module has, by those that it makes of z and a guide."""
    import torch

    if module.facts.mixes_channels:
        return "mixes channels"
    with torch.no_grad():
        w = module.weights(z, None if module.needs_guide == "none" else guide)
    if w.shape[2] == 1:
        return "one tap"
    if w.min() < -1e-6 or (w.sum(2) - 1).abs().max() > 1e-4:
        return "not convex"
    return "convex" if module.needs_guide == "none" else "convex, with guide"


def samples_points(module: nn.Module) -> bool:
    """Whether a module reads z at points that it computes, rather than in a fixed window."""
    from upsamplers import Upsampler

    return isinstance(module, Upsampler) and type(module).points is not Upsampler.points


@contextmanager
def _plain() -> Iterator[None]:
    """Every primitive by plain PyTorch, those that make kernels too: no compiled kernel has a part in a definition."""
    from upsamplers.primitive.backends import ENVIRONMENT

    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = "eager"
    try:
        yield
    finally:
        if before is None:
            del os.environ[ENVIRONMENT]
        else:
            os.environ[ENVIRONMENT] = before


def _defined(module: Upsampler, z: Tensor, guide: Tensor | None = None) -> Tensor:
    from upsamplers import reassemble

    source, where = module.reads(z, guide)
    up = reassemble(module.weights(z, guide), source, **where)
    return module.epilogue(up, z, guide)


def _halved(module: Upsampler, guide: Tensor) -> tuple[Tensor, None]:
    """A guide downsampled with the module's own weights, and no kernels for the way up."""
    from upsamplers import downassemble

    w = module.down_weights(guide)
    return downassemble(w, guide, module.scale, module.down_kernel_size, module.border), None


def primitive_macs() -> dict[str, Callable[..., int]]:
    """Multiply-adds of each primitive and fused pass by its full name, from its tensors' and its output's shapes."""
    from upsamplers.fused import PASSES
    from upsamplers.primitive import MACS

    formulas = {**MACS, **{name: one.macs for name, one in PASSES.items()}}
    return {f"upsamplers::{name}": formula for name, formula in formulas.items()}


def native_macs() -> dict[str, int]:
    """Multiply-adds of each output element of torch's own upsampling, by its name in `aten`."""
    from upsamplers.primitive.macs import NATIVE

    return NATIVE


def counter_formulas() -> dict[Any, Callable[..., int]]:
    """What torch's counter lacks, by operation: floating-point operations, two for each multiply-add."""
    from upsamplers.counting import formulas

    return formulas()
