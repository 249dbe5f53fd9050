"""What one call of each primitive costs: one multiply-add per tap and output element, in both directions.

The same numbers feed torch's FlopCounterMode (as 2×MACs) and whoever counts a traced graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Shape = Sequence[int]

MACS: dict[str, Callable[[Sequence[Shape], Shape], int]] = {
    # inputs (w, z) -> y: every element of y is an inner product of K taps (C·K where channels mix)
    "reassemble": lambda inputs, output: math.prod(output) * inputs[0][2],
    # inputs (g, z) -> ∂w: every element of g meets every tap once
    "correlate": lambda inputs, output: math.prod(inputs[0]) * output[2],
    # inputs (w, g) -> ∂z
    "spread": lambda inputs, output: math.prod(inputs[1]) * inputs[0][2],
    "downassemble": lambda inputs, output: math.prod(output) * inputs[0][2],
    "down_correlate": lambda inputs, output: math.prod(inputs[0]) * output[2],
    "down_spread": lambda inputs, output: math.prod(inputs[1]) * inputs[0][2],
    # inputs (q, m): four for each value of a key that is read between pixels, one for its product with the query's
    "similarities": lambda inputs, output: 5 * math.prod(inputs[0]) * output[2],
    # inputs (a, c) or, in their place, the output: their product, and its use
    "products": lambda inputs, output: 2 * math.prod((inputs[0] or output)[2:]) * math.prod((inputs[1] or output)[:2]),
}
"""Name of the operator in the namespace `upsamplers` -> (shapes of its first two tensors, output shape) -> MACs."""

NATIVE = {"max_unpool2d": 1, "upsample_nearest2d": 1, "upsample_bilinear2d": 4, "upsample_bicubic2d": 16}
"""Multiply-adds of each output element of torch's own upsampling, which torch's counter does not know."""
