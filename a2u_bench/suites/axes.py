"""The axes of a request: every combination of their values is a workload."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from a2u_bench.case import Case
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

    def workloads(self) -> Iterator[tuple[Site, Case]]:
        """Each with its site, as a case without an operator."""
        outer = product(dict.fromkeys(self.devices), self.runtimes, self.threads, self.allocators)
        places = [(site, scale) for site in self.sites for scale in ((site.scale,) if site.scale else self.scales)]
        inner = list(product(places, self.dtypes, self.layouts, self.modes))
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


def _usual_allocator(device: str) -> str | None:
    """Where glibc serves a CPU, a process keeps what it frees: whether it would hand a block back to the system, and
    pay its page faults again with each call, is otherwise decided by chance, once a process."""
    return "kept" if device == "cpu" and platform.libc_ver()[0] == "glibc" else None
