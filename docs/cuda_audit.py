"""What the CUDA kernels need, without a GPU: registers, instructions and bytes of each, and a predicted time.

    python docs/cuda_audit.py     # sm_90, every kernel; --capability 80, --only 'k5 y,k5 dz', --jobs 2

Registers and instructions are those of the machine code that Triton's compiler makes. How often w and the map are read
is counted under Triton's interpreter, over programs spread evenly over the grid. The time is a prediction for an H200;
`predicted` is the whole model.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import torch

HERE = Path(__file__).parent
PROCESSORS, CLOCK = 132, 1.98e9
COPY, SECOND_LEVEL = 4.3e12, 5.5e12
"""Bytes a second: a copy in device memory, measured on an H200; loads and stores of the L2, an assumption."""

SAMPLED, TOGETHER = 5, 1 << 15
"""Programs that are counted under the interpreter; points that a program of it sorts."""


def cases() -> dict[str, tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
    """Name → verb of the backend, shapes of its tensors, and its other arguments; 256 channels, 120×120 → 240×240."""
    map_, big = (1, 256, 120, 120), (1, 256, 240, 240)
    found: dict[str, tuple[str, tuple[Any, ...], tuple[Any, ...]]] = {}
    for name, k, groups, border in (
        ("k5", 5, 1, "zero"),
        ("k5 replicate", 5, 1, "replicate"),
        ("k3", 3, 1, "zero"),
        ("k1 G=C", 1, 256, "zero"),
    ):
        w = (1, groups, k * k, 240, 240)
        found[f"{name} y"] = ("reassemble", (w, map_, None), (2, k, border))
        found[f"{name} dw"] = ("correlate", (big, map_, None), (w, 2, k, border))
        found[f"{name} dz"] = ("spread", (w, big, None), (map_, 2, k, border))
    w, points = (1, 4, 4, 240, 240), (1, 4, 2, 240, 240)
    found["points y"] = ("reassemble", (w, map_, points), (2, 2, "zero"))
    found["points dw"] = ("correlate", (big, map_, points), (w, 2, 2, "zero"))
    found["points dz"] = ("spread", (w, big, points), (map_, 2, 2, "zero"))
    w = (1, 1, 16, 120, 120)
    found["down k4 y"] = ("downassemble", (w, big), (2, 4, "zero"))
    found["down k4 dw"] = ("down_correlate", (map_, big), (w, 2, 4, "zero"))
    found["down k4 dx"] = ("down_spread", (w, map_), (big, 2, 4, "zero"))
    return found


def launched(case: str, dtype: torch.dtype, sorts: bool) -> list[tuple[Any, tuple[torch.Tensor, ...]]]:
    """The launches of a case, each with its tensors as it finds them. Nothing runs, but for points, if it `sorts`, what
    puts them into the order that the last kernel reads: few programs, of as many points as the interpreter likes."""
    from upsamplers.primitive.cuda import backend, launch, sampling

    verb, shapes, rest = cases()[case]
    tensors = [shape if shape is None else torch.zeros(shape, dtype=dtype) for shape in shapes]
    if len(tensors) == 3 and tensors[2] is not None:
        tensors[2] = regular_points(shapes[2])
    found: list[tuple[Any, tuple[torch.Tensor, ...]]] = []

    def note(plan: Any, device: Any, *tensors: torch.Tensor) -> None:
        if not sorts or "BLOCK" not in plan.constants:
            found.append((plan, tensors))
            return
        found.append((plan, tuple(tensor.clone() for tensor in tensors)))
        programs, constants = -(-plan.programs * plan.threads // TOGETHER), plan.constants | {"BLOCK": TOGETHER}
        plan.kernel[(programs,)](*tensors, *plan.numbers, **constants)

    with mock.patch.object(launch, "launch", note), mock.patch.object(sampling, "launch", note):
        getattr(backend, verb)(*tensors, *rest)
    return found


def regular_points(shape: tuple[int, ...]) -> torch.Tensor:
    """Bilinear's own points at scale 2, each moved by up to half a pixel."""
    y, x = ((torch.arange(n) + 0.5) / 2 - 0.5 for n in shape[-2:])
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    return grid + torch.rand(shape, generator=torch.Generator().manual_seed(0)) - 0.5


def compiled(plan: Any, tensors: tuple[torch.Tensor, ...], capability: int) -> dict[str, Any]:
    """Registers, spilled bytes and code of a launch."""
    import cuda_sass
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    class Absent:
        """Says which GPU to compile for, and nothing else."""

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", capability, 32)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, device: int) -> int:
            return 0

    driver.set_active(Absent())
    kernel = plan.kernel.warmup(*tensors, *plan.numbers, **plan.constants, **plan.options, grid=(plan.programs,))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.cubin"
        file.write_bytes(kernel.asm["cubin"])
        return {"code": cuda_sass.read(file), "shared": kernel.metadata.shared}


def counted(plan: Any, tensors: tuple[torch.Tensor, ...]) -> dict[str, Any]:
    """What the programs of a launch read, write and multiply, scaled to all of them."""
    import cuda_counts

    programs = plan.programs
    counts = cuda_counts.count(plan.kernel, programs, plan.threads, (*tensors, *plan.numbers), plan.constants, SAMPLED)
    times = programs / min(programs, SAMPLED)
    sizes = [tensor.numel() for tensor in tensors]
    found = {name: getattr(counts, name) * times for name in ("sectors", "lines", "stores", "first", "multiply_adds")}
    reads = {n: counts.reads[n] * times / size for n, size in enumerate(sizes)}
    return {**found, "reads": reads, "unmasked": counts.unmasked / max(sum(counts.reads.values()), 1)}


def instructions(code: Any, counts: dict[str, Any], threads: int) -> float:
    """Instructions that all threads execute together, a warp's counted once.

    A loop with multiply-adds repeats until all are done; where there are two, the shorter one is that of tiles whose
    windows lie inside, and has the share of them. An outer loop repeats as often as its stores do, or, without them, as
    its loads, which are of the first tensor. Where nothing is multiplied, a loop counts once.
    """
    hot = sorted((loop for loop in code.loops if loop.multiply_adds), key=lambda loop: loop.instructions)
    if not hot:
        return (code.once.instructions + sum(loop.instructions for loop in code.loops)) * threads / 32
    shares = (
        [1.0] if len(hot) == 1 else [counts["unmasked"], *[(1 - counts["unmasked"]) / (len(hot) - 1)] * (len(hot) - 1)]
    )
    per_thread = sum(
        share * counts["multiply_adds"] / threads * loop.instructions / loop.multiply_adds
        for share, loop in zip(shares, hot, strict=True)
    )
    outer = 0.0
    for loop in code.loops:
        if loop not in hot and (stores := sum(n for name, n in loop.opcodes.items() if name == "STG")):
            outer += loop.instructions * counts["stores"] / threads / stores
        elif loop not in hot and loop.opcodes["LDG"]:
            outer += loop.instructions * counts["first"] / threads / loop.opcodes["LDG"]
    return (per_thread + outer + code.once.instructions) * threads / 32


def warps_resident(registers: int, threads: int, shared: int) -> int:
    """Warps that a processor holds at once: 65,536 registers given out by 256 a warp, 228 KiB shared, 64 warps."""
    warps = max(1, threads // 32)
    by_registers = 65536 // (-(-registers * 32 // 256) * 256)
    programs = min(by_registers // warps, 64 // warps, 32, 233472 // (shared + 1024))
    return programs * warps


def predicted(issued: float, lines: float, bytes_second: float, floor: float, programs: int, resident: int) -> float:
    """Seconds on an H200. A model, not a measurement.

    Four resources would take, alone: the issue of instructions (four a cycle and processor, of which 16 resident warps
    use 85 % and 8 use 65 %, the rest is latency), the first-level cache (128 bytes a cycle), the second, and device
    memory (the floor). Whole programs are given to processors, so the fullest one ends last. They overlap in part: the
    cubic mean of sums stands for that, and 1.5 µs for the launch, the first loads and the last stores.
    """
    fullest = -(-programs // PROCESSORS) * PROCESSORS / programs
    issue = fullest * issued / (PROCESSORS * 4 * CLOCK) / min(0.9, 0.45 + 0.025 * resident)
    first = fullest * lines / (PROCESSORS * CLOCK)
    return 1.5e-6 + (issue**3 + first**3 + (bytes_second / SECOND_LEVEL) ** 3 + floor**3) ** (1 / 3)


def floor_bytes(case: str, dtype: torch.dtype) -> int:
    """Bytes that must move: each tensor of a case once, in or out; points are float32."""
    verb, shapes, rest = cases()[case]
    size = torch.empty((), dtype=dtype).element_size()
    total = sum(torch.Size(s).numel() * (4 if n == 2 else size) for n, s in enumerate(shapes) if s is not None)
    if verb in ("reassemble", "downassemble"):
        out = (1, 256, 240, 240) if verb == "reassemble" else (1, 256, 120, 120)
    else:
        out = rest[0]
    return total + torch.Size(out).numel() * size


def worker(mode: str, case: str, dtype: str, capability: int) -> Any:
    """Compile or count a case in a process of its own: Triton decides at its import whether to interpret."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    command = [sys.executable, __file__, "--worker", mode, case, dtype, str(capability)]
    done = subprocess.run(command, env=environment, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{case} {dtype}: {done.stderr.decode()[-3000:]}")
    return pickle.loads(done.stdout)


def work(mode: str, case: str, dtype: str, capability: int) -> list[dict[str, Any]]:
    """One entry per launch of a case."""
    if mode == "count":
        os.environ["TRITON_INTERPRET"] = "1"
    launches = launched(case, getattr(torch, dtype), mode == "count")
    entries = []
    for plan, tensors in launches:
        entry = {"kernel": plan.kernel.fn.__name__, "programs": plan.programs, "threads": plan.threads}
        entry["bytes"] = sum({one.data_ptr(): one.numel() * one.element_size() for one in tensors}.values())
        entry |= compiled(plan, tensors, capability) if mode == "compile" else counted(plan, tensors)
        entries.append(entry)
    return entries


def row_of(case: str, dtype: str, capability: int) -> dict[str, Any]:
    """The table's row of a case: the sum of its kernels, which run one after another; reads are those of the last.

    A fill and a cumulative sum between the kernels that sort points are not in it.
    """
    both = zip(*(worker(mode, case, dtype, capability) for mode in ("compile", "count")), strict=True)
    floor, found = floor_bytes(case, getattr(torch, dtype)) / COPY, []
    for built, counts in both:
        code, threads, programs = built["code"], built["threads"], built["programs"]
        issued = instructions(code, counts, threads)
        resident = warps_resident(code.registers, threads, built["shared"])
        second = counts["sectors"] * 32
        found.append(
            {
                "kernel": built["kernel"],
                "registers": code.registers,
                "spilled": code.stack,
                "warps": resident,
                "programs": programs,
                "issued": issued,
                "multiply_adds": counts["multiply_adds"],
                "reads": list(counts["reads"].values()),
                "lines": counts["lines"],
                "second": second,
                "time": predicted(issued, counts["lines"], second, built["bytes"] / COPY, programs, resident),
            }
        )

    def total(name: str) -> Any:
        return sum(one[name] for one in found)

    return {
        "case": f"{case} {dtype}",
        "kernel": " + ".join(one["kernel"] for one in found),
        "registers": max(one["registers"] for one in found),
        "spilled": max(one["spilled"] for one in found),
        "warps": min(one["warps"] for one in found),
        "programs": total("programs"),
        "per_fma": total("issued") * 32 / max(total("multiply_adds"), 1),
        "reads": found[-1]["reads"],
        "first_level_us": total("lines") / (PROCESSORS * CLOCK) * 1e6,
        "second_level_MB": total("second") / 1e6,
        "floor_us": floor * 1e6,
        "predicted_us": total("time") * 1e6,
        "share": floor / total("time"),
    }


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    reads = " ".join(f"{r:.1f}" for r in row["reads"][:2])
    return (
        f"| {row['case']} | {row['kernel']} | {row['registers']} / {row['spilled']} | {row['warps']} | "
        f"{row['programs']} | {row['per_fma']:.2f} | {reads} | {row['first_level_us']:.1f} | "
        f"{row['second_level_MB']:.0f} | {row['floor_us']:.1f} | {row['predicted_us']:.1f} | {row['share']:.0%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capability", type=int, default=90)
    parser.add_argument("--only", default="")
    parser.add_argument("--dtype", default="float32,bfloat16")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        mode, case, dtype, capability = given.worker
        result = work(mode, case, dtype, int(capability))
        sys.stdout.buffer.write(pickle.dumps(result))
        return
    chosen = [
        (c, d)
        for d in given.dtype.split(",")
        for c in cases()
        if any(part in f"{c} {d}" for part in given.only.split(","))
    ]
    head = (
        "case|kernel|registers / spilled|warps|programs|instructions per FMA|first two read|L1 µs|L2 read MB|floor µs"
    )
    names = [*head.split("|"), "predicted µs", "share"]
    if not given.json:
        sys.stdout.write(f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n")
    with ThreadPoolExecutor(given.jobs) as pool:
        for row in pool.map(lambda one: row_of(*one, given.capability), chosen):
            sys.stdout.write((json.dumps(row) if given.json else line(row)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
