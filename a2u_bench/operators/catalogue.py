"""What exists: every operator by name, its options and variants, and what an operator string means."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from a2u_bench.errors import UsageError
from a2u_bench.operators import strings
from a2u_bench.operators.strings import OptionValue

if TYPE_CHECKING:
    from upsamplers import Facts, Option, Upsampler


class Broken(UsageError):
    """A user's own operator that does not load, or is not an operator; the message says why. Others can be measured."""


@dataclass(frozen=True)
class Operator:
    """One operator with its options: canonical text, and the label of the variant that these options are."""

    name: str
    options: Mapping[str, OptionValue]
    text: str
    variant: str


def names() -> tuple[str, ...]:
    """The names of all registered operators, sorted."""
    import upsamplers

    return upsamplers.names()


def plugin_problems() -> tuple[str, ...]:
    """One line for each installed plug-in, in the entry-point group `upsamplers`, that does not load."""
    from upsamplers.registry import plugin_problems

    return plugin_problems()


def facts(name: str) -> Facts:
    """What is known of an operator. UsageError, with the nearest match, for an unknown name."""
    return operator_class(name).facts


def options(name: str) -> dict[str, Option]:
    """An operator's options by name, with type, default and choices."""
    from upsamplers.registry import class_options

    return class_options(operator_class(name))


def operator(text: str) -> Operator:
    """The operator that one operator string means. UsageError for an unknown name or option."""
    parsed = strings.parse(text)
    return _operator(parsed.name, parsed.options)


def load_ours() -> None:
    """Import every operator of ours; plug-ins are left to whoever needs them."""
    import pkgutil

    from upsamplers import ops

    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)


def every_variant() -> Iterator[Operator]:
    """Every registered operator at each of its declared variants, in the order of names."""
    for name in names():
        for variant in facts(name).variants:
            yield _operator(name, variant.options)


STORED = {
    "a2u_bench.peers": "a2u_bench.operators.bench_only.peers",
    "a2u_bench.ways": "a2u_bench.operators.bench_only.given_kernels",
    "a2u_bench.synthetic": "a2u_bench.operators.bench_only.known_costs",
    "a2u_bench.quality.ablated": "a2u_bench.operators.bench_only.ablated_a2u",
    "ablated": "a2u_bench.operators.bench_only.ablated_a2u",
    "references": "a2u_bench.operators.bench_only.references",
}
"""Modules of operators by the names that stored runs have for them, which stay, a name being part of its case's id, and
by short ones."""


@cache
def operator_class(name: str) -> type[Upsampler]:
    """A registered operator's class by name, or a user's own as ``package.module:Class``."""
    from upsamplers import UnknownOperator
    from upsamplers.errors import BrokenOperator
    from upsamplers.registry import operator_class as registered_class

    if name not in names() and not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())  # where a person's own file lies: a program that pip installs does not look there
    try:
        module, colon, own = name.partition(":")
        return registered_class(f"{STORED.get(module, module)}{colon}{own}")
    except BrokenOperator as error:
        raise Broken(str(error)) from None
    except UnknownOperator as error:
        raise UsageError(str(error)) from None


def _operator(name: str, given: Mapping[str, OptionValue]) -> Operator:
    from upsamplers import OptionError
    from upsamplers.errors import nearest_hint

    known = options(name)
    for key, value in given.items():
        if key not in known:
            raise UsageError(f"{name} has no option {key!r}; {nearest_hint(key, known)}")
        try:
            known[key].check(name, value)
        except OptionError as error:
            raise UsageError(str(error)) from None
    defaults = {key: option.default for key, option in known.items()}
    text = strings.canonical(name, given, defaults)
    for variant in facts(name).variants:
        if strings.canonical(name, variant.options, defaults) == text:
            return Operator(name, dict(given), text, variant.label)
    return Operator(name, dict(given), text, text.removeprefix(f"{name}:"))
