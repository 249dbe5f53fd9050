"""Runs the commands that the pages show and writes their output below them; with --check, says where it differs.

A block begins with ``$ a2u-bench …``, or ``$ python docs/….py``. Commands that measure are left alone: what they print
differs each time. A block of a run that is yet to be measured is a comment until it is there.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ("columns", "operators", "published", "quality", "backends", "a2u-ablation", "reading-a2u", "your-network")
PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in DOCS))
BLOCK = re.compile(r"```console\n\$ ((?:a2u-bench|python docs/) ?[^\n]*)\n(.*?)```", re.DOTALL)
WAITING = re.compile(r"<!-- once there is (\S+): (a2u-bench [^\n]*) -->")
MEASURING = ("run", "quality", "doctor", "check")
WIDTH = 100


def output(command: str) -> str:
    """What a command prints at the width of the pages, from the root of the repository."""
    words = shlex.split(command)
    if "|" in words:
        raise ValueError(f"a page shows a pipe, which no shell is asked to run: {command}")
    environment = os.environ | {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    run = [sys.executable, *(["-m", "a2u_bench"] if words[0] == "a2u-bench" else []), *words[1:]]
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.strip()}")
    return "\n".join(line.rstrip() for line in done.stdout.rstrip().splitlines()) + "\n"


def refreshed(text: str) -> str:
    """The text with the present output of every command that measures nothing."""

    def begin(waiting: re.Match[str]) -> str:
        folder, command = waiting.groups()
        return f"```console\n$ {command}\n```" if (ROOT / folder).exists() else waiting[0]

    def fill(block: re.Match[str]) -> str:
        command, shown = block.groups()
        now = shown if command.split()[1] in MEASURING else output(command)  # `plot` draws its figure anew, too
        return f"```console\n$ {command}\n{now}```"

    return BLOCK.sub(fill, WAITING.sub(begin, text))


def main() -> int:
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES}
    now = {page: refreshed(shown) for page, shown in pages.items()}
    if "--check" in sys.argv[1:]:
        return 0 if now == pages else 1
    for page, text in now.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
