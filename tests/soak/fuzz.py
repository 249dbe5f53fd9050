"""Files of strangers: sound ones that are damaged at random, and lines of nasty values; each reader must read on or
say one line, and no command may end in a traceback, let a control character through, or write outside its folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from a2u_bench.case import Case
from a2u_bench.columns import COLUMNS, make_row
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.store.write import Store

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What must never reach a terminal; tabs and line ends may."""

NASTY = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "\u202egnp.exe",
    "../../etc/passwd",
    "/etc/passwd",
    "a\x00b",
    "x" * 300,
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\\input{/etc/passwd}",
    "$\\write18{id}$ & % # _ { } ~ ^",
    "=cmd|' /C calc'!A0",
    "[bold]markup[/bold]",
    "| a | b |\n|---|---|",
    "\ud800",
    "",
    "NaN",
    "None",
)


OUT = {"out", "out.html"}
"""What a command may write in the folder that it runs in."""

ENTRIES = ("machine", "settings", "machines", "doctor", "doctors", "ceilings", "data")
"""Entries of a manifest in whose place a stranger may have put anything."""

INSERTED = (b"\x00", b"\xff" * 8, b"9" * 30, b"[" * 2000, b"{", b'"', b"\n", b"-", b"\x1b[2J")


class Broken(AssertionError):
    """A reader or a command did what it must not."""


@dataclass(frozen=True)
class Reader:
    """One kind of file: its name, sound contents to damage, and what reads it; `errors` are its one-line errors."""

    name: str
    suffix: str
    sound: tuple[bytes, ...]
    read: Callable[[Path], Any]
    errors: tuple[type[Exception], ...] = (UsageError, BenchError)


def texts() -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(NASTY), st.text(max_size=40))


def values() -> st.SearchStrategy[Any]:
    """Any JSON value that a stranger may put where we expect another."""
    numbers = st.one_of(
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=True, allow_infinity=True),
        st.sampled_from([0, -1, 1e308, 5e-324, 10**400]),
    )
    plain = st.one_of(st.none(), st.booleans(), numbers, texts())
    return st.recursive(
        plain,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts(), inner, max_size=3)),
        max_leaves=6,
    )


def sound_row() -> dict[str, Any]:
    case = Case("a2u", "rank 4", "a2u:rank=4", 1, 64, 32, 32)
    times = {"latency": 1e-3, "latency_low": 9e-4, "latency_high": 1.1e-3}
    return make_row(case, "ok", "", {"params": 10, "macs": 4096, **times, "peak_memory": 4096, "samples": 6})


@st.composite
def hostile_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows whose fields are nasty here and there."""
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        row = {"version": 1, **sound_row()}
        names = [column.name for column in COLUMNS if column.name != "status"] + ["colour", "version"]
        row["status"] = draw(st.sampled_from(["ok", "failed", "skipped", "oom", "splendid"]))
        for name in draw(st.lists(st.sampled_from(names), max_size=6, unique=True)):
            kinds = {column.name: column.dtype for column in COLUMNS}
            row[name] = draw(texts() if kinds.get(name) == "string" else values())
        rows.append(row)
    return rows


def damaged(content: bytes, seed: int, edits: int) -> bytes:
    """The content with so many random edits: bytes changed, cut out, doubled, inserted, or the end cut off."""
    chance, data = random.Random(seed), bytearray(content)
    for _ in range(edits):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randrange(1, 200)]
        elif kind == 3:
            data[at:at] = chance.choice(
                [b"\x00", b"\xff" * 8, b"9" * 30, b"[" * 2000, b"{", b'"', b"\n", b"-", b"\x1b[2J"]
            )
        elif kind == 4 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        else:
            del data[at:]
    return bytes(data)


def fuzz_reader(reader: Reader, examples: int) -> int:
    """So many damaged files; how many were read. Raises Broken, with the content, for the first that is not borne."""
    count = 0

    @_settings(examples)
    @given(
        st.one_of(
            st.builds(damaged, st.sampled_from(reader.sound), st.integers(0, 2**32), st.integers(0, 6)),
            st.binary(max_size=64),
        )
    )
    def once(content: bytes) -> None:
        nonlocal count
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{reader.suffix}"
            path.write_bytes(content)
            try:
                reader.read(path)
            except reader.errors as error:
                if "\n" in str(error):
                    raise Broken(f"{reader.name}: more than one line: {error}") from error
            except Exception as error:
                raise Broken(f"{reader.name}: {type(error).__name__}: {error} for {content!r}") from error

    once()
    return count


def fuzz_commands(commands: list[list[str]], examples: int) -> int:
    """So many runs of hostile rows, given to each command; how many files were read."""
    count = 0

    @_settings(examples)
    @given(hostile_rows(), st.dictionaries(texts(), values(), max_size=3))
    def once(rows: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        with tempfile.TemporaryDirectory() as name:
            folder = hostile_run(Path(name), rows, manifest)
            for command in commands:
                check_command([part.format(run=folder, out=Path(name) / "out") for part in command], Path(name))

    once()
    return count


def hostile_run(parent: Path, rows: list[dict[str, Any]], manifest: dict[str, Any]) -> Path:
    """A run of these rows whose manifest has these entries, beside a sound one."""
    folder = parent / "run"
    with Store.create(folder, {"suite": "quick"}):
        pass
    text = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **text, **dict.fromkeys(ENTRIES, manifest)}))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Store.create(parent / "sound", {"suite": "quick"}) as store:
        store.append_row(sound_row())
    return folder


def check_command(arguments: list[str], parent: Path) -> int:
    """Run one command in this process, in the folder `parent`; its exit code. Broken for a traceback, more than one
    line of error, a control character, or a file beside those of `OUT`."""
    from a2u_bench.cli import main

    before = {path.name for path in parent.iterdir()} - OUT
    out, err = io.StringIO(), io.StringIO()
    here = Path.cwd()
    try:
        os.chdir(parent)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    finally:
        os.chdir(here)
    said = err.getvalue()
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if code not in (0, 1, 2, 3) or "A2U_BENCH_DEBUG" in said or len(errors) > 1:
        raise Broken(f"{arguments}: exit code {code}: {errors}")
    found = CONTROL.search(out.getvalue()) or CONTROL.search(said)
    if found:
        raise Broken(f"{arguments}: {found.group()!r} reached the terminal")
    after = {path.name for path in parent.iterdir()} - OUT
    if after != before:
        raise Broken(f"{arguments}: wrote {after - before}")
    return code


def _settings(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # the first failure is shown as it is: the content is short
        suppress_health_check=list(HealthCheck),
    )
