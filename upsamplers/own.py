"""An operator that need not be registered: `package.module:Class`, and which one was probably meant."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

from upsamplers.errors import BrokenOperator, nearest_hint
from upsamplers.operator import Facts, Upsampler


def own_class(name: str) -> type[Upsampler]:
    """The class that `module:Class` means. BrokenOperator where the module does not load or that is no operator."""
    module_name, _, class_name = name.partition(":")
    try:
        members = vars(importlib.import_module(module_name))
    except Exception as error:  # whatever a stranger's module raises while it loads
        why = " ".join(str(error).split())
        raise BrokenOperator(
            f"cannot import operator {name!r}: {type(error).__name__}: {why}{_without_suffix(module_name, class_name)}"
        ) from None
    if class_name not in members:
        there = [f"{module_name}:{key}" for key, member in members.items() if _is_operator(member)]
        raise BrokenOperator(f"module {module_name!r} has no {class_name!r}; {nearest_hint(name, there)}")
    try:
        return check_class(members[class_name])
    except TypeError as error:
        raise BrokenOperator(f"{name!r} is no operator: {error}") from None


def check_class(found: object) -> type[Upsampler]:
    """The same object if it is an operator's class. TypeError, which says what is missing, if it is not."""
    if not (isinstance(found, type) and issubclass(found, Upsampler)):
        raise TypeError(f"it must be a subclass of upsamplers.Upsampler; got {found!r}")
    if not isinstance(getattr(found, "facts", None), Facts):
        raise TypeError(f"{found.__name__} states no facts: an upsamplers.Facts")
    if found.weights is Upsampler.weights:
        raise TypeError(f"{found.__name__} defines no weights(z, guide) -> w")
    return found


def meant(name: str) -> str:
    """What to say of a name that is no operator's but a module's with operators in it; "" where it is no such module.

    The module's file is read, not run.
    """
    module_name = name.removesuffix(".py")
    written = [f"{module_name}:{one}" for one in classes_in(module_name)]
    if not written:
        return ""
    return f"{module_name!r} is a module: did you mean {' or '.join(map(repr, written))}? "


def classes_in(module_name: str) -> tuple[str, ...]:
    """A module's public classes that look like operators: they extend Upsampler, or have facts and weights."""
    source = _source(module_name)
    try:
        body = ast.parse(source.read_bytes()).body if source else []
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):  # whatever ast makes of a strange file
        return ()
    found = {Upsampler.__name__}
    for node in body:
        if isinstance(node, ast.ClassDef) and (_bases(node) & found or {"facts", "weights"} <= _defined(node)):
            found.add(node.name)
    return tuple(sorted(name for name in found - {Upsampler.__name__} if not name.startswith("_")))


def _source(module_name: str) -> Path | None:
    """The Python file of a module, found without importing what it lies in."""
    parts, places, origin = module_name.split("."), None, ""
    if not all(part.isidentifier() for part in parts):
        return None
    for place in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: place + 1]), places)
        if spec is None or (place + 1 < len(parts) and spec.submodule_search_locations is None):
            return None
        places, origin = spec.submodule_search_locations, spec.origin or ""
    return Path(origin) if origin.endswith(".py") else None


def _without_suffix(module_name: str, class_name: str) -> str:
    module = module_name.removesuffix(".py")
    return f"; write {module}:{class_name}, without .py" if module != module_name and classes_in(module) else ""


def _is_operator(member: object) -> bool:
    try:
        check_class(member)
    except TypeError:
        return False
    return True


def _bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).rpartition(".")[2] for base in node.bases}


def _defined(node: ast.ClassDef) -> set[str]:
    """The names that a class's body defines."""
    named: list[Iterable[str]] = []
    for one in node.body:
        if isinstance(one, ast.FunctionDef):
            named.append([one.name])
        elif isinstance(one, (ast.Assign, ast.AnnAssign)):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            named.append(target.id for target in targets if isinstance(target, ast.Name))
    return {name for names in named for name in names}
