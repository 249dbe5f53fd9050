"""Exporters: one file a format, named after it, each with `write(view)`, which yields text or bytes."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from a2u_bench.tables.view import View

Writer = Callable[["View"], Iterator[str | bytes]]


def formats() -> list[str]:
    """Every format: the modules of this package, in alphabetical order."""
    modules = pkgutil.iter_modules(__path__)  # folders are figures, the report, and what LaTeX is made of
    return sorted(module.name for module in modules if not module.ispkg and not module.name.startswith("_"))


def exporter(form: str) -> Writer:
    """What writes this format."""
    return cast(Writer, import_module(f"{__name__}.{form}").write)
