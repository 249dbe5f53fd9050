"""How a kernel is called: one packet of addresses and lengths, by address, from one parallel loop that serves them all.

A kernel is a C function (part, parts, packet). So each is compiled once for each real type, and the parallel loop,
which is slow to compile, only once.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import carray

SIGNATURE = types.void(types.int64, types.int64, types.CPointer(types.int64))
"""What numba compiles a kernel to."""


def _to_pointer(typing_context, address, kind):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return types.CPointer(kind.dtype)(address, kind), generate


def _call_address(typing_context, address, part, parts, packet):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        integer = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [integer, integer, integer.as_pointer()])
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [args[1], args[2], cgutils.create_struct_proxy(packet)(context, builder, args[3]).data])
        return context.get_dummy_value()

    return types.void(address, part, parts, packet), generate


_pointer: Any = intrinsic(_to_pointer)
_call: Any = intrinsic(_call_address)


@njit(nogil=True)
def array_at(packet: Any, index: int, kind: Any) -> Any:
    """The packet's array of this number, with elements of this type."""
    fields = carray(packet, (2 * index + 2,))
    return carray(_pointer(fields[2 * index], kind), (fields[2 * index + 1],))


@njit(nogil=True)
def scratch_at(packet: Any, index: int, part: int, parts: int, kind: Any) -> Any:
    """This part's share of the packet's scratch array."""
    whole = array_at(packet, index, kind)
    size = len(whole) // parts
    return whole[part * size : (part + 1) * size]


def share(parts: int, address: int, packet: Any) -> None:
    """Run the kernel at `address` for every part, by as many threads as numba was told to use."""
    for part in prange(parts):
        _call(address, part, parts, packet)
