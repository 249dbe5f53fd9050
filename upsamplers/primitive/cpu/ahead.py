"""Rows that are read or written soon: the caches are asked for them now, while something else is computed.

A kernel takes one short row from each of many channels, far apart in memory: no processor foresees the next of them,
and waiting took up to half of a pass. Where items have one channel, rows follow one another and are foreseen.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

LINE = 64
"""Bytes that a cache takes at once."""


def _ask(typing_context, array, position, write):  # type: ignore[no-untyped-def]
    """LLVM's prefetch of one element into the second level, to write it where `write` (a literal) is 1.

    It is a hint: it never fails, wherever the element would lie.
    """

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        second_level, data_cache = number(2), number(1)
        address = builder.bitcast(builder.gep(data, [args[1]]), byte)
        builder.call(prefetch, [address, number(write.literal_value), second_level, data_cache])
        return context.get_dummy_value()

    return types.void(array, position, write), generate


ask: Any = intrinsic(prefer_literal=True)(_ask)


@njit(nogil=True)
def read_soon(src: Any, start: int, step: int, count: int, length: int) -> None:
    """`count` rows of `length` elements, `step` elements from one to the next, will be read."""
    line = LINE // src.itemsize
    for row in range(count):
        for x in range(0, length, line):
            ask(src, start + row * step + x, 0)


@njit(nogil=True)
def written_soon(dst: Any, start: int, step: int, count: int, length: int) -> None:
    """The same rows will be written."""
    line = LINE // dst.itemsize
    for row in range(count):
        for x in range(0, length, line):
            ask(dst, start + row * step + x, 1)
