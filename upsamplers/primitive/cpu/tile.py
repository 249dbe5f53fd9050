"""The inner loop of every CPU kernel: a tile of P×Q vector accumulators that stays in registers over all terms.

tile: acc[p, q, lane] (+)= Σ_t a[a_off[t] + p·a_step + lane] · b[b_off[t] + b_q[q] + lane]

It is written as LLVM vectors, because no compiler keeps 16 vector accumulators in registers across a loop over taps
when it starts from scalar loops.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding  # type: ignore[import-untyped]
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from upsamplers.primitive.cpu.elements import widen

_features = llvmlite.binding.get_host_cpu_features()
REGISTER_BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx") else 16
"""Bytes of a vector register of this CPU."""
WIDE = 2 if _features.get("sse2") and not _features.get("avx512f") else 4
"""Columns of the largest tile: 16 accumulators and their operands fit 32 registers, 8 fit the 16 of older x86."""


def lanes(itemsize: int) -> int:
    """Elements of one vector."""
    return REGISTER_BYTES // itemsize


_NAMES = "rows columns splat adds acc acc0 acc_p acc_q a a0 a_step a_off b b0 b_off b_q terms"


def _tile(typing_context, rows, columns, splat, adds, acc, acc0, acc_p, acc_q, a, a0, a_step, a_off, b, b0, b_off, b_q, terms):  # type: ignore[no-untyped-def]  # fmt: skip  # noqa: E501
    """One tile of rows×columns vectors; `rows`, `columns` and `splat` are literals.

    splat: a holds one element for all lanes of a vector. adds: whether acc is added to.

    acc, a, b: flat arrays, acc of floats, with the positions acc0, a0, b0 of the tile in them; acc_p and acc_q: the
    steps between its vectors; a_off, b_off: where each of the `terms` terms reads; b_q: where each column does.
    """
    count_p, count_q = rows.literal_value, columns.literal_value
    signature = types.void(
        rows, columns, splat, adds, acc, acc0, acc_p, acc_q, a, a0, a_step, a_off, b, b0, b_off, b_q, terms
    )

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        names = _NAMES.split()
        value = dict(zip(names, args, strict=True))
        kind = dict(zip(names, signature.args, strict=True))
        element = context.get_data_type(kind["acc"].dtype)
        itemsize = kind["acc"].dtype.bitwidth // 8
        vector = ir.VectorType(element, lanes(itemsize))
        integer = ir.IntType(64)
        data = {
            name: context.make_array(kind[name])(context, builder, value[name]).data
            for name in ("acc", "a", "b", "a_off", "b_off", "b_q")
        }

        def at(base: Any, *offsets: Any) -> Any:
            for offset in offsets:
                base = builder.gep(base, [offset])
            return base

        def load(name: str, pointer: Any) -> Any:
            number = kind[name].dtype
            several = ir.VectorType(context.get_data_type(number), vector.count)
            loaded = builder.load(builder.bitcast(pointer, several.as_pointer()))
            loaded.align = number.bitwidth // 8
            return loaded if isinstance(number, types.Float) else widen(builder, loaded, number)

        def load_left(pointer: Any) -> Any:
            if not splat.literal_value:
                return load("a", pointer)
            number, one = kind["a"].dtype, builder.load(pointer)
            one = one if isinstance(number, types.Float) else widen(builder, one, number)
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), one, ir.IntType(32)(0))
            return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))

        def steps(step: str, count: int) -> Any:
            return builder.mul(value[step], integer(count))

        cells = [(p, q) for p in range(count_p) for q in range(count_q)]
        targets = {(p, q): at(data["acc"], value["acc0"], steps("acc_p", p), steps("acc_q", q)) for p, q in cells}
        sums = {cell: cgutils.alloca_once(builder, vector) for cell in cells}
        with builder.if_else(builder.trunc(value["adds"], ir.IntType(1))) as (then, otherwise):
            with then:
                for cell in cells:
                    builder.store(load("acc", targets[cell]), sums[cell])
            with otherwise:
                for cell in cells:
                    builder.store(ir.Constant(vector, [0.0] * vector.count), sums[cell])
        base_a = [at(data["a"], value["a0"], steps("a_step", p)) for p in range(count_p)]
        base_b = [at(data["b"], value["b0"], builder.load(at(data["b_q"], integer(q)))) for q in range(count_q)]
        with cgutils.for_range(builder, value["terms"], intp=integer) as loop:
            a_t = builder.load(at(data["a_off"], loop.index))
            b_t = builder.load(at(data["b_off"], loop.index))
            a_vectors = [load_left(at(base, a_t)) for base in base_a]
            b_vectors = [load("b", at(base, b_t)) for base in base_b]
            for p, q in cells:
                product = builder.fmul(a_vectors[p], b_vectors[q], flags=("contract",))
                builder.store(builder.fadd(builder.load(sums[p, q]), product, flags=("contract",)), sums[p, q])
        for cell in cells:
            stored = builder.store(builder.load(sums[cell]), builder.bitcast(targets[cell], vector.as_pointer()))
            stored.align = itemsize
        return context.get_dummy_value()

    return signature, generate


tile: Any = intrinsic(prefer_literal=True)(_tile)


def _sum_lanes(typing_context, array, position):  # type: ignore[no-untyped-def]
    """Sum of the vector at a position of an array."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        kind = signature.args[0].dtype
        vector = ir.VectorType(context.get_data_type(kind), lanes(kind.bitwidth // 8))
        data = builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
        loaded = builder.load(builder.bitcast(data, vector.as_pointer()))
        loaded.align = kind.bitwidth // 8
        while vector.count > 1:
            half = ir.VectorType(vector.element, vector.count // 2)
            sides = [
                builder.shuffle_vector(
                    loaded,
                    loaded,
                    ir.Constant(ir.VectorType(ir.IntType(32), half.count), [start + i for i in range(half.count)]),
                )
                for start in (0, half.count)
            ]
            loaded, vector = builder.fadd(*sides), half
        return builder.extract_element(loaded, ir.IntType(32)(0))

    return array.dtype(array, position), generate


sum_lanes: Any = intrinsic(_sum_lanes)


def _tiles(splat: int) -> Any:
    """Any number of rows and columns as tiles of 4×WIDE, 4×1, 1×8, 1×4 and 1×1."""

    @njit(nogil=True)
    def tiles(
        p_count: int, q_count: int, adds: int, acc: Any, acc0: int, acc_p: int, acc_q: int, a: Any, a0: int,
        a_step: int, a_off: Any, b: Any, b0: int, b_off: Any, b_q: Any, terms: int,
    ) -> None:  # fmt: skip
        p = 0
        while p < p_count:
            fours = p_count - p >= 4
            q = 0
            while q < q_count:
                to, left, at = acc0 + p * acc_p + q * acc_q, a0 + p * a_step, b_q[q:]
                if fours and q_count - q >= WIDE:
                    tile(4, WIDE, splat, adds, acc, to, acc_p, acc_q, a, left, a_step, a_off, b, b0, b_off, at, terms)
                    q += WIDE
                elif fours:
                    tile(4, 1, splat, adds, acc, to, acc_p, acc_q, a, left, a_step, a_off, b, b0, b_off, at, terms)
                    q += 1
                elif q_count - q >= 8:
                    tile(1, 8, splat, adds, acc, to, acc_p, acc_q, a, left, a_step, a_off, b, b0, b_off, at, terms)
                    q += 8
                elif q_count - q >= 4:
                    tile(1, 4, splat, adds, acc, to, acc_p, acc_q, a, left, a_step, a_off, b, b0, b_off, at, terms)
                    q += 4
                else:
                    tile(1, 1, splat, adds, acc, to, acc_p, acc_q, a, left, a_step, a_off, b, b0, b_off, at, terms)
                    q += 1
            p += 4 if fours else 1

    return tiles


tiles = _tiles(0)
"""Tiles of a's vectors with b's."""
splat_tiles = _tiles(1)
"""Tiles of a's single elements with b's vectors."""
