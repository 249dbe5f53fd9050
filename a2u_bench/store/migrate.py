"""Older results read as today's: for each version that is no more, what turns its lines into the next version's.

A new version is for a change that a reader of the old one would get wrong: a column that means something else, has
another unit or another name. A new column needs no new version: where it is missing it is unknown. With a new
version come one entry here and a run of the old one under `tests/golden/runs/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from a2u_bench import columns

FIRST_VERSION = 1

Content = dict[str, Any]

STEPS: Mapping[int, Callable[[str, Content], Content]] = {}
"""Version -> what rewrites the content of a file of that version, `manifest` or a line of `rows`, `samples` or
`curves`, as the next version has it. Values come from files: a step must bear any JSON."""


def is_known(version: object) -> bool:
    """Whether this program reads what that version wrote."""
    return type(version) is int and FIRST_VERSION <= version <= columns.SCHEMA_VERSION


def to_current(name: str, content: Content, version: int) -> Content:
    """Content of the file `name` (without its suffix), written by `version`, as today's version has it.

    A manifest keeps the number of the version that wrote it.
    """
    for step in range(version, columns.SCHEMA_VERSION):
        content = STEPS[step](name, content)
    return content
