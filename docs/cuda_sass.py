"""What a compiled kernel is made of: registers, spilled bytes, and the instructions of its loops, from its cubin."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import triton

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
MULTIPLY_ADDS = ("FFMA", "DFMA", "HMMA", "DMMA")


@dataclass
class Loop:
    """A stretch of code that a backward branch repeats, without the loops inside it."""

    first: int
    last: int
    opcodes: Counter[str] = field(default_factory=Counter)

    @property
    def instructions(self) -> int:
        return sum(self.opcodes.values())

    @property
    def multiply_adds(self) -> int:
        return sum(self.opcodes[name] for name in MULTIPLY_ADDS)


@dataclass(frozen=True)
class Code:
    """A kernel: what a thread holds, the code that runs once, and its loops."""

    registers: int
    stack: int
    once: Loop
    loops: tuple[Loop, ...]


def tool(name: str, *arguments: str | Path) -> str:
    """Standard output of one of the CUDA tools that come with Triton."""
    return subprocess.run([TOOLS / name, *arguments], capture_output=True, text=True, check=True).stdout


def resources(file: Path) -> tuple[int, int]:
    """Registers of a thread, and bytes of its stack: what did not fit into them."""
    text = tool("cuobjdump", "-res-usage", file)
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    if found is None:
        raise ValueError(f"no register count in {text!r}")
    return int(found[1]), int(found[2])


def read(file: Path) -> Code:
    """The code of a cubin that holds one kernel."""
    places: dict[str, int] = {}
    lines: list[tuple[int, str, str]] = []
    waiting: list[str] = []
    for line in tool("nvdisasm", "-c", file).splitlines():
        if label := re.match(r"(\.L\w*):", line):
            waiting.append(label[1])
        elif found := re.match(r"\s+/\*([0-9a-f]+)\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9]+)(.*)", line):
            address = int(found[1], 16)
            places |= dict.fromkeys(waiting, address)
            waiting = []
            lines.append((address, found[2], found[3]))
    loops = []
    for address, name, rest in lines:
        if name == "BRA" and (target := re.search(r"\.L\w*", rest)) and places.get(target[0], address) < address:
            loops.append(Loop(places[target[0]], address))
    once = Loop(0, lines[-1][0])
    for address, name, _ in lines:
        if name != "NOP":
            around = [loop for loop in loops if loop.first <= address <= loop.last]
            min(around, key=lambda loop: loop.last - loop.first, default=once).opcodes[name] += 1
    return Code(*resources(file), once, tuple(loops))
