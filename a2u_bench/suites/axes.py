"""The axes of a request: every combination of their values is a workload."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from a2u_bench.case import Case
from a2u_bench.errors import UsageError
from a2u_bench.suites.plan import Site

USUAL = "usual"
"""Of the allocator: what the device's C library is best measured with."""


@dataclass(frozen=True)
class Axes:
    """The values of each axis; every combination of them is a workload."""

    devices: tuple[str, ...]
    runtimes: tuple[str, ...]
    threads: tuple[int, ...]
    allocators: tuple[str | None, ...]
    sites: tuple[Site, ...]
    scales: tuple[int, ...]
    dtypes: tuple[str, ...]
    layouts: tuple[str, ...]
    modes: tuple[str, ...]
    network: str | None
    sizes: tuple[tuple[int, int], ...] = ()  # of the output; each site has then the scales that lead there

    def workloads(self) -> Iterator[tuple[Site, Case]]:
        """Each with its site, as a case without an operator."""
        outer = product(dict.fromkeys(self.devices), self.runtimes, self.threads, self.allocators)
        inner = list(product(self._scaled(), self.dtypes, self.layouts, self.modes))
        for (device, runtime, threads, allocator), ((site, scale), dtype, layout, mode) in product(outer, inner):
            if device != "cpu" and allocator == "kept":  # an accelerator keeps what it frees anyway
                continue
            yield (
                site,
                Case(
                    "",
                    "",
                    "",
                    *site.shape,
                    scale=scale,
                    dtype=dtype,
                    layout=layout,
                    mode=mode,
                    runtime=runtime,
                    device=device,
                    threads=threads,
                    network=self.network,
                    allocator=_usual_allocator(device) if allocator == USUAL else allocator,
                ),
            )

    def _scaled(self) -> list[tuple[Site, int]]:
        """Each site with each of its scales."""
        if not self.sizes:
            return [(site, scale) for site in self.sites for scale in ((site.scale,) if site.scale else self.scales)]
        return [(site, scale_to(site.shape, size)) for site, size in product(self.sites, self.sizes)]


def scale_to(shape: tuple[int, int, int, int], size: tuple[int, int]) -> int:
    """The scale that leads from z of this shape to an output of this size. UsageError where none does."""
    scale = size[0] // shape[2]
    if scale < 1 or size != (scale * shape[2], scale * shape[3]):
        raise UsageError(
            f"--size {size[0]}x{size[1]}: is no multiple of z's {shape[2]}x{shape[3]}, the same in height and "
            "width, as the bench measures them; the library's operators that an image guides take any size"
        )
    return scale


def _usual_allocator(device: str) -> str | None:
    """Where glibc serves a CPU, a process keeps what it frees: whether it would hand a block back to the system, and
    pay its page faults again with each call, is otherwise decided by chance, once a process."""
    return "kept" if device == "cpu" and platform.libc_ver()[0] == "glibc" else None
