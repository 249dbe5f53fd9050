"""Elements of maps as kernels read and write them: half types lie in memory as they are, and are float32 in arithmetic.

numba has no half types on a CPU. bfloat16 is an array of unsigned, float16 one of signed integers of 16 bits; `get`
makes numbers of them, and `put` rounds a number to the nearest, of two to the even one.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding  # type: ignore[import-untyped]
import numpy as np
import torch
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

KINDS = {torch.float32: np.float32, torch.float64: np.float64, torch.bfloat16: np.uint16, torch.float16: np.int16}
"""What a kernel's array holds for each type of tensors."""

_features = llvmlite.binding.get_host_cpu_features()
CONVERTS_FLOAT16 = bool(_features.get("f16c") or _features.get("fullfp16")) and not getattr(config, "CPU_NAME", None)
"""Whether code that numba makes for this CPU converts float16 by itself, and asks no library for it."""


def real_of(kind: Any) -> Any:
    """The type of arithmetic on such elements."""
    return np.float64 if kind is np.float64 else np.float32


def are_read(*dtypes: torch.dtype) -> bool:
    """Whether kernels read these types as they lie in memory, side by side."""
    if len(set(dtypes)) > 1 and torch.float64 in dtypes:
        return False
    return all(one in KINDS and (one != torch.float16 or CONVERTS_FLOAT16) for one in dtypes)


def widen(builder: Any, value: Any, kind: Any) -> Any:
    """A number, or a vector of them, from elements of a half type as they lie in memory."""

    def shaped(element: Any) -> Any:
        return ir.VectorType(element, value.type.count) if isinstance(value.type, ir.VectorType) else element

    if kind == types.int16:
        return builder.fpext(builder.bitcast(value, shaped(ir.HalfType())), shaped(ir.FloatType()))
    integers = shaped(ir.IntType(32))
    places = ir.Constant(integers, [16] * integers.count if isinstance(integers, ir.VectorType) else 16)
    return builder.bitcast(builder.shl(builder.zext(value, integers), places), shaped(ir.FloatType()))


def _number(typing_context, element):  # type: ignore[no-untyped-def]
    """An element as a number."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return args[0] if isinstance(element, types.Float) else widen(builder, args[0], element)

    return (element if isinstance(element, types.Float) else types.float32)(element), generate


def _element(typing_context, value, array):  # type: ignore[no-untyped-def]
    """A number as an element of the array."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = array.dtype
        if isinstance(kind, types.Float):
            return context.cast(builder, args[0], value, kind)
        number = context.cast(builder, args[0], value, types.float32)
        if kind == types.int16:
            return builder.bitcast(builder.fptrunc(number, ir.HalfType()), ir.IntType(16))
        integer = ir.IntType(32)
        bits = builder.bitcast(number, integer)
        odd = builder.and_(builder.lshr(bits, integer(16)), integer(1))
        rounded = builder.add(bits, builder.add(odd, integer(0x7FFF)))
        nan = builder.or_(bits, integer(0x400000))  # rounding could make it an infinity
        chosen = builder.select(builder.fcmp_unordered("uno", number, number), nan, rounded)
        return builder.trunc(builder.lshr(chosen, integer(16)), ir.IntType(16))

    return array.dtype(value, array), generate


_as_number: Any = intrinsic(_number)
_as_element: Any = intrinsic(_element)


@njit(nogil=True)
def get(array: Any, position: Any) -> Any:
    """The number at a position that is not negative."""
    return _as_number(array[np.uintp(position)])


@njit(nogil=True)
def put(array: Any, position: Any, value: Any) -> None:
    """Write a number at a position that is not negative."""
    array[np.uintp(position)] = _as_element(value, array)
