"""Who may import whom, read from the syntax tree; and how little the command line loads before it has work."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT_UPSAMPLERS = (
    "a2u_bench.build",
    "a2u_bench.peers",
    "a2u_bench.quality.ablated",
    "a2u_bench.synthetic",
    "a2u_bench.ways",
)
MAY_IMPORT_TORCH = (
    "a2u_bench.build",
    "a2u_bench.check",
    "a2u_bench.machine",
    "a2u_bench.worker",
    "a2u_bench.pool",
    "a2u_bench.measure",
    "a2u_bench.networks",
    "a2u_bench.peers",
    "a2u_bench.quality",
    "a2u_bench.synthetic",
    "a2u_bench.ways",
)
"""Left of the store. Every module that is not named here works from files alone."""

RIGHT_OF_STORE = (
    "beside",
    "store",
    "lacks",
    "runs",
    "rows",
    "frames",
    "pivot",
    "conditions",
    "best",
    "changes",
    "gates",
    "sheet",
    "texts",
    "provenance",
    "judge",
    "stats",
    "claims",
    "units",
    "cells",
    "render",
    "export",
    "machines",
    "plain",
    "record",
    "doctor",
    "ailments",
    "ranking",
    "remarks",
    "plots",
    "report",
    "recommend",
    "dominance",
    "worth",
)
HEAVY = (
    "torch",
    "upsamplers",
    "fvcore",
    "numba",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "skimage",
    "rich",
    "jinja2",
    "plotly",
)
LIGHT_IN_COMMANDS = ("a2u_bench.cli", "a2u_bench.errors", "a2u_bench.plain", "typer")

Sources = dict[str, str]


def sources() -> Sources:
    """The source of every module by its dotted name."""
    found = {}
    for package in ("upsamplers", "a2u_bench"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(module: str, source: str, known: Sources, top_only: bool = False) -> Iterator[str]:
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
                is_package = any(name.startswith(f"{module}.") for name in known)
                above = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in known)
        waiting.extend(ast.iter_child_nodes(node))


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def violations(known: Sources) -> list[str]:
    """Every import that breaks the rule, as one text each."""
    found = []
    at_start = started(known)
    for module, source in known.items():
        for name in set(imports(module, source, known)):
            wrong = (
                (within(module, ("upsamplers",)) and within(name, ("a2u_bench",)))
                or (within(module, ("upsamplers.ops",)) and name.startswith("upsamplers.ops.") and name != module)
                or (
                    within(module, ("a2u_bench",))
                    and within(name, ("upsamplers",))
                    and not within(module, MAY_IMPORT_UPSAMPLERS)
                )
                or (
                    within(module, ("a2u_bench",)) and within(name, ("torch",)) and not within(module, MAY_IMPORT_TORCH)
                )
            )
            if wrong:
                found.append(f"{module} imports {name}")
        if module in at_start:
            ours = (*LIGHT_IN_COMMANDS, *sys.stdlib_module_names)
            outside = {name for name in imports(module, source, known, top_only=True) if name != "a2u_bench"}
            found += [f"{module} imports {name} outside its function" for name in outside if not within(name, ours)]
    for part in RIGHT_OF_STORE:
        for module in (name for name in known if within(name, (f"a2u_bench.{part}",))):
            reached = reach(module, known)
            found += [f"{module} reaches {name}" for name in reached if within(name, ("torch", "upsamplers"))]
    return sorted(set(found))


def started(known: Sources) -> set[str]:
    """What the command line loads of its own before any command runs: commands and what they import at their top."""
    waiting = [name for name in known if within(name, ("a2u_bench.cli",)) and "._" not in name] + ["a2u_bench.cli._app"]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        for name in imports(module, known[module], known, top_only=True):
            if within(name, ("a2u_bench.cli",)) and name in known and name not in seen:
                waiting.append(name)
    return seen


def reach(module: str, known: Sources) -> set[str]:
    """What `module` imports, directly and through our own modules, inside functions too."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        for name in imports(waiting[-1], known[waiting.pop()], known):
            if name not in seen:
                seen.add(name)
                waiting += [name] if name in known else []
    return seen


def test_nobody_imports_whom_they_may_not():
    assert violations(sources()) == []


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("upsamplers.primitive.eager", "import a2u_bench.spec", "imports a2u_bench.spec"),
        ("upsamplers.ops.nearest", "from upsamplers.ops import bilinear", "imports upsamplers.ops.bilinear"),
        ("upsamplers.ops.nearest", "from .bilinear import Bilinear", "imports upsamplers.ops.bilinear"),
        ("upsamplers.ops.nearest", "def f():\n    import upsamplers.ops.deconv", "imports upsamplers.ops.deconv"),
        ("a2u_bench.runner", "def f():\n    import upsamplers", "imports upsamplers"),
        ("a2u_bench.frames", "import torch.nn", "imports torch.nn"),
        ("a2u_bench.frames", "from a2u_bench import build", "reaches upsamplers"),
        ("a2u_bench.cli.ls", "import pandas as pd", "imports pandas outside its function"),
        ("a2u_bench.cli.ls", "from a2u_bench.frames import sort", "imports a2u_bench.frames outside its function"),
    ],
)
def test_each_breach_of_the_rule_is_found(module, line, said):
    known = sources()
    known[module] += f"\n{line}\n"
    assert f"{module} {said}" in violations(known)


def test_what_only_type_checkers_read_is_no_import():
    line = "\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
    known = sources()
    known["a2u_bench.frames"] += line
    assert violations(known) == []


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
