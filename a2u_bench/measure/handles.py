"""What each operation of a trace costs by the published convention, in multiply-adds: the handles that fvcore is given.

Convolutions, linear layers, interpolation and the reassembly count; biases, norms, pooling, softmax, activations and
shuffles do not. Nothing is registered for a plain product or sum, whose cost a trace cannot tell from a scaling: a
contraction is an einsum or an operator of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from a2u_bench import operators

Handle = Callable[[list[Any], list[Any]], int]

FREE = (
    *("batch_norm", "group_norm", "layer_norm", "instance_norm"),
    *("max_pool2d", "max_pool2d_with_indices", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
    *("softmax", "log_softmax", "sigmoid", "tanh", "hardtanh", "hardtanh_", "relu6", "leaky_relu", "leaky_relu_"),
    *("pixel_shuffle", "pixel_unshuffle", "im2col"),
)
"""Operations of `aten` that cost nothing by this convention, whether fvcore counts them or skips them."""


def handles() -> dict[str, Handle]:
    """A handle for fvcore by the full name of each operation; the names that are not here keep fvcore's own."""
    found: dict[str, Handle] = {f"aten::{name}": _free for name in FREE}
    found |= {f"aten::{name}": _per_output(macs) for name, macs in operators.native_macs().items()}
    found |= {name: _primitive(formula) for name, formula in operators.primitive_macs().items()}
    found |= {"aten::_convolution_mode": _convolution_mode, "aten::einsum": _einsum}
    return found


def einsum_macs(equation: str, shapes: list[list[int]]) -> int:
    """Multiply-adds of a contraction of two tensors: the product of the extents of all its indices.

    ValueError for more than two: their order would decide the cost. A rearrangement of one tensor costs nothing.
    """
    if len(shapes) == 1:
        return 0
    if len(shapes) != 2 or "." in equation:
        raise ValueError(f"cannot count einsum {equation!r}: only two tensors, with every index named, have one cost")
    extents: dict[str, int] = {}
    for letters, shape in zip(equation.replace(" ", "").split("->")[0].split(","), shapes, strict=True):
        for letter, extent in zip(letters, shape, strict=True):
            extents[letter] = max(extent, extents.get(letter, 1))
    return math.prod(extents.values())


def _shape(value: Any) -> Any:
    """The sizes of a traced tensor; None in the place of one that was not given."""
    return None if value.type().kind() == "NoneType" else value.type().sizes()


def _free(inputs: list[Any], outputs: list[Any]) -> int:
    return 0


def _per_output(macs: int) -> Handle:
    return lambda inputs, outputs: macs * math.prod(_shape(outputs[0]))


def _primitive(formula: Callable[..., int]) -> Handle:
    def handle(inputs: list[Any], outputs: list[Any]) -> int:
        tensors = [value for value in inputs if value.type().kind() in ("TensorType", "NoneType")]
        return formula([_shape(value) for value in tensors], _shape(outputs[0]))

    return handle


def _convolution_mode(inputs: list[Any], outputs: list[Any]) -> int:
    """A convolution with padding="same": batch × weights × output points."""
    out = _shape(outputs[0])
    return out[0] * math.prod(_shape(inputs[1])) * math.prod(out[2:])


def _einsum(inputs: list[Any], outputs: list[Any]) -> int:
    return einsum_macs(inputs[0].toIValue(), [_shape(value) for value in inputs[1].node().inputs()])
