"""One vector of neighbouring elements, as LLVM has it: for sums whose rows may lie on one another."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

from upsamplers.primitive.cpu.tile import lanes


def _add_scaled(typing_context, acc, to, factor, row, at):  # type: ignore[no-untyped-def]
    """acc[to + lane] += factor · row[at + lane], for the lanes of one vector."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = signature.args[0].dtype
        size = kind.bitwidth // 8
        vector = ir.VectorType(context.get_data_type(kind), lanes(size))

        def pointer(array: int, position: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.bitcast(builder.gep(data, [args[position]]), vector.as_pointer())

        def load(place: Any) -> Any:
            loaded = builder.load(place)
            loaded.align = size
            return loaded

        first = builder.insert_element(ir.Constant(vector, ir.Undefined), args[2], ir.IntType(32)(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
        product = builder.fmul(builder.shuffle_vector(first, first, mask), load(pointer(3, 4)), flags=("contract",))
        target = pointer(0, 1)
        stored = builder.store(builder.fadd(load(target), product, flags=("contract",)), target)
        stored.align = size
        return context.get_dummy_value()

    return types.void(acc, types.int64, acc.dtype, row, types.int64), generate


add_scaled: Any = intrinsic(_add_scaled)
