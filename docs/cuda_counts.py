"""What programs of a Triton kernel read, write and multiply, counted under Triton's interpreter.

A few programs are run, spread evenly over the grid, and stand for all of them.
"""

from __future__ import annotations

import os

os.environ["TRITON_INTERPRET"] = "1"

import bisect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from triton.runtime import interpreter

SECTOR = 32
"""Bytes that the second-level cache hands over at once."""

LINE = 128
"""Bytes that the first-level cache hands over in a cycle."""


@dataclass
class Counts:
    """Of the programs that ran: reads of each argument's elements, sectors, cycles of the first level, sums.

    `first` is how many accesses of the first argument its threads make.
    """

    reads: dict[int, int]
    first: int = 0
    sectors: int = 0
    lines: int = 0
    stores: int = 0
    multiply_adds: int = 0
    unmasked: int = 0


def spread_over(programs: int, most: int) -> list[int]:
    """At most so many program numbers, evenly spread from the first to the last."""
    # steps of the golden ratio fall on no multiple of the tiles of a map
    return sorted({int(programs * ((0.618034 * n + 0.31) % 1)) for n in range(min(programs, most))})


class Counter:
    """Stands in for the interpreter's loads, stores and multiply-adds, and notes each."""

    def __init__(self, builder: Any, tensors: list[torch.Tensor], threads: int) -> None:
        self.threads, self.chosen = threads, 0
        places = sorted((t.data_ptr(), t.data_ptr() + t.untyped_storage().nbytes(), n) for n, t in enumerate(tensors))
        self.begins = [place[0] for place in places]
        self.places = places
        self.counts = Counts(dict.fromkeys(range(len(tensors)), 0))
        self.seen: set[int] = set()
        self.load, self.store = builder.create_masked_load, builder.create_masked_store
        self.plain, self.fma, self.dot = builder.create_load, builder.create_fma, builder.create_dot

    def touch(self, pointers: np.ndarray, mask: np.ndarray, size: int, loaded: bool) -> None:
        """Note one access of all lanes: warps of 32 threads, each with its share of neighbouring elements."""
        flat, kept = pointers.ravel().astype(np.int64), np.broadcast_to(mask, pointers.shape).ravel()
        if not kept.any():
            return
        vector = 1
        while vector * self.threads < flat.size and 2 * vector * size <= 16 and self.together(flat, 2 * vector, size):
            vector *= 2
        lanes = min(32 * vector, flat.size)
        sectors = np.sort(np.where(kept, flat // SECTOR, -1).reshape(-1, lanes), axis=1)
        distinct = (np.diff(sectors, axis=1, prepend=-1) != 0).sum(axis=1)
        self.counts.lines += int((-(-distinct * SECTOR // LINE)).sum())
        if loaded:
            self.seen.update(np.unique(sectors[sectors >= 0]).tolist())
        if loaded:
            tensor = self.places[bisect.bisect_right(self.begins, int(flat[kept][0])) - 1]
            self.counts.reads[tensor[2]] += int(kept.sum())
            if tensor[2] == 0:
                self.counts.first += -(-flat.size // vector)
        else:
            self.counts.stores += -(-flat.size // vector)

    @staticmethod
    def together(flat: np.ndarray, count: int, size: int) -> bool:
        """Whether every run of so many lanes is one aligned stretch."""
        if flat.size % count:
            return False
        runs = flat.reshape(-1, count)
        return bool((np.diff(runs, axis=1) == size).all() and not (runs[:, 0] % (count * size)).any())

    def masked_load(self, pointers: Any, mask: Any, *rest: Any) -> Any:
        result = self.load(pointers, mask, *rest)
        self.touch(pointers.data, mask.data, result.data.itemsize, loaded=True)
        return result

    def unmasked_load(self, pointers: Any, *rest: Any) -> Any:
        self.counts.unmasked += pointers.data.size
        return self.plain(pointers, *rest)

    def masked_store(self, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        self.touch(pointers.data, mask.data, value.data.itemsize, loaded=False)
        return self.store(pointers, value, mask, *rest)

    def multiply_add(self, x: Any, *rest: Any) -> Any:
        self.counts.multiply_adds += x.data.size
        return self.fma(x, *rest)

    def matrix_product(self, a: Any, b: Any, *rest: Any) -> Any:
        self.counts.multiply_adds += a.data.size * b.data.shape[-1]
        return self.dot(a, b, *rest)

    def program(self, axis: int) -> Any:
        return interpreter.TensorHandle(np.array([self.chosen], dtype=np.int32), interpreter.tl.int32)


def count(kernel: Any, programs: int, threads: int, arguments: tuple[Any, ...], constants: Any, most: int) -> Counts:
    """Run at most so many programs of a kernel and count what they do; `programs` of them make the whole."""
    builder = interpreter.interpreter_builder
    tensors = [a for a in arguments if isinstance(a, torch.Tensor)]
    counter = Counter(builder, tensors, threads)
    stand_ins = {
        "create_masked_load": counter.masked_load,
        "create_load": counter.unmasked_load,
        "create_masked_store": counter.masked_store,
        "create_fma": counter.multiply_add,
        "create_dot": counter.matrix_product,
        "create_get_program_id": counter.program,
    }
    kept = {name: getattr(builder, name) for name in stand_ins}
    sectors = 0
    try:
        for name, stand_in in stand_ins.items():
            setattr(builder, name, stand_in)
        for chosen in spread_over(programs, most):
            counter.chosen, counter.seen = chosen, set()
            kernel[(1,)](*arguments, **constants)
            sectors += len(counter.seen)
    finally:
        for name, original in kept.items():
            setattr(builder, name, original)
    counter.counts.sectors = sectors
    return counter.counts
