"""Who may import whom, read from the syntax tree; and how little the command line loads before it has work."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ROOMS: dict[str, set[str]] = {
    "ground": set(),  # the files at the top of a2u_bench
    "machine": set(),
    "operators": {"machine"},
    "suites": {"machine", "operators"},
    "measure": {"machine", "operators"},
    "store": {"machine"},
    "run": {"machine", "operators", "suites", "measure", "store"},
    "quality": {"machine", "operators", "measure", "store", "run"},
    "judge": {"store"},
    "tables": {"machine", "store", "judge"},
    "export": {"operators", "store", "judge", "tables"},  # operators: their kernels are drawn
}
"""The rooms that each room may import, beside itself and the ground; `cli` and `audit` may import all."""

FREE = ("cli", "audit", "__main__")

ONLY_DOOR = "a2u_bench.operators"
"""What alone may import `upsamplers`."""

WITH_TORCH = ("a2u_bench.operators", "a2u_bench.measure", "a2u_bench.quality")
WITHOUT_TORCH = ("a2u_bench.store", "a2u_bench.judge", "a2u_bench.tables", "a2u_bench.machine", "a2u_bench.export")
"""What must not even reach it by way of others, but for the drawing of kernels."""

DRAWS_KERNELS = "a2u_bench.export.plots.kernels"

HEAVY = (
    *("torch", "upsamplers", "fvcore", "numba", "numpy", "scipy"),
    *("pandas", "matplotlib", "skimage", "rich", "jinja2", "plotly"),
)
LIGHT_IN_COMMANDS = ("a2u_bench.cli", "a2u_bench.errors", "a2u_bench.sanitize", "typer")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("upsamplers", "a2u_bench")
    for path in sorted((ROOT / package).rglob("*.py"))
}

Imports = Mapping[str, frozenset[str]]


def imports_of(module: str, source: str, top_only: bool = False) -> Iterator[str]:
    """Every module that `source` imports, inside functions too unless `top_only`; not for type checkers."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        if top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = any(name.startswith(f"{module}.") for name in MODULES)
                above = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            known = {alias.name: f"{base}.{alias.name}" for alias in node.names}
            yield from (full if full in MODULES else base for full in known.values())
        waiting.extend(ast.iter_child_nodes(node))


@cache
def everything() -> Imports:
    """What each module imports; every file is parsed once."""
    return {name: frozenset(imports_of(name, path.read_text(encoding="utf-8"))) for name, path in MODULES.items()}


@cache
def at_the_top(module: str) -> frozenset[str]:
    return frozenset(imports_of(module, MODULES[module].read_text(encoding="utf-8"), top_only=True))


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def room(module: str) -> str:
    """The room of a module of a2u_bench; the files at its top are the ground."""
    part = module.split(".")[1] if "." in module else ""
    return part if part in ROOMS or part in FREE else "ground"


def violations(known: Imports) -> list[str]:
    """Every import that breaks the rule, as one text each."""
    found = []
    for module, names in known.items():
        for name in names:
            if within(module, "upsamplers"):
                wrong = within(name, "a2u_bench") or (
                    within(module, "upsamplers.ops") and name.startswith("upsamplers.ops.") and name != module
                )
            elif within(name, "a2u_bench") and name != "a2u_bench":
                mine, other = room(module), room(name)
                wrong = mine not in FREE and other not in (mine, "ground", *ROOMS.get(mine, ()))
            else:
                wrong = (within(name, "upsamplers") and not within(module, ONLY_DOOR)) or (
                    within(name, "torch") and not within(module, *WITH_TORCH)
                )
            if wrong:
                found.append(f"{module} imports {name}")
        if within(module, *WITHOUT_TORCH) and not within(module, DRAWS_KERNELS):
            found += [
                f"{module} reaches {name}" for name in reach(module, known) if within(name, "torch", "upsamplers")
            ]
    return sorted(set(found))


def reach(module: str, known: Imports) -> set[str]:
    """What `module` imports, directly and through our own modules."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for name in known.get(waiting.pop(), ()):
            if name not in seen and not within(name, DRAWS_KERNELS):
                seen.add(name)
                waiting.append(name)
    return seen


def too_early(tops: Mapping[str, frozenset[str]]) -> list[str]:
    """What the command line loads, before any command runs, of what is not light."""
    light = (*LIGHT_IN_COMMANDS, *sys.stdlib_module_names)
    return [
        f"{module} imports {name} outside its function"
        for module, names in tops.items()
        for name in names
        if name != "a2u_bench" and not within(name, *light)
    ]


def started() -> dict[str, frozenset[str]]:
    """What commands, and what they import of their room at the top, import at their top."""
    waiting = [name for name in MODULES if within(name, "a2u_bench.cli") and "._" not in name] + ["a2u_bench.cli._app"]
    found: dict[str, frozenset[str]] = {}
    while waiting:
        module = waiting.pop()
        if module not in found and module in MODULES:
            found[module] = at_the_top(module)
            waiting += [name for name in found[module] if within(name, "a2u_bench.cli")]
    return found


def test_every_folder_is_a_room():
    folders = {name.split(".")[1] for name in MODULES if within(name, "a2u_bench") and name.count(".") > 1}
    assert folders == {*ROOMS, *FREE} - {"ground", "__main__"}


def test_nobody_imports_whom_they_may_not():
    assert violations(everything()) == []


def test_commands_import_nothing_heavy_outside_their_functions():
    assert too_early(started()) == []


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("upsamplers.primitive.eager", "import a2u_bench.case", "imports a2u_bench.case"),
        ("upsamplers.ops.nearest", "from upsamplers.ops import bilinear", "imports upsamplers.ops.bilinear"),
        ("upsamplers.ops.nearest", "from .bilinear import Bilinear", "imports upsamplers.ops.bilinear"),
        ("upsamplers.ops.nearest", "def f():\n    import upsamplers.ops.deconv", "imports upsamplers.ops.deconv"),
        ("a2u_bench.run.runner", "def f():\n    import upsamplers", "imports upsamplers"),
        ("a2u_bench.store.frames", "import torch.nn", "imports torch.nn"),
        ("a2u_bench.store.frames", "from a2u_bench import operators", "reaches upsamplers"),
        ("a2u_bench.store.read", "from a2u_bench.judge import best", "imports a2u_bench.judge.best"),
        ("a2u_bench.judge.best", "from a2u_bench.tables.layout import apart", "imports a2u_bench.tables.layout"),
        ("a2u_bench.units", "from a2u_bench.store import rows", "imports a2u_bench.store.rows"),
    ],
)
def test_each_breach_of_the_rule_is_found(module, line, said):
    known = {**everything(), module: everything()[module] | frozenset(imports_of(module, line))}
    assert any(text.startswith(f"{module} {said}") for text in violations(known))


@pytest.mark.parametrize("line", ["import pandas as pd", "from a2u_bench.store.frames import sort"])
def test_a_heavy_import_at_the_top_of_a_command_is_found(line):
    name = next(imports_of("a2u_bench.cli.ls", line))
    tops = {**started(), "a2u_bench.cli.ls": frozenset([name])}
    assert too_early(tops) == [f"a2u_bench.cli.ls imports {name} outside its function"]


def test_what_only_type_checkers_read_is_no_import():
    line = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
    assert set(imports_of("a2u_bench.store.frames", line)) == {"typing"}


def test_no_class_name_stands_twice():
    where: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        # operators that only the bench has are called as the field calls them
        if within(name, "a2u_bench") and not within(name, "a2u_bench.operators.bench_only"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    where.setdefault(node.name, []).append(name)
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_no_file_is_longer_than_250_lines():
    long = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    assert {name: lines for name, lines in long.items() if within(name, "a2u_bench") and lines > 250} == {}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"], ["rnu"], ["compare", "/nowhere"]])
def test_the_command_line_loads_nothing_heavy_before_it_has_work(arguments):
    code = (
        "import json, sys\n"
        "from a2u_bench.cli import main\n"
        "main(sys.argv[1:])\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in HEAVY if name in loaded] == []
