"""The registry: every operator found by walking `ops/`, created by name with options checked against its signature."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from upsamplers import ops
from upsamplers.errors import BrokenOperator, OptionError, TooLarge, UnknownOperator, is_too_large, nearest_hint
from upsamplers.operator import Facts, Upsampler
from upsamplers.own import check_class, meant, own_class


@dataclass(frozen=True)
class Option:
    """One option of an operator, as its constructor declares it."""

    name: str
    kind: type  # int, float, bool or str
    default: Any
    choices: tuple[Any, ...] = ()

    def check(self, operator: str, value: Any) -> None:
        """Raise OptionError unless the value has this option's type and is one of its choices."""
        typed = isinstance(value, self.kind) and (self.kind is bool or not isinstance(value, bool))
        if self.choices and value not in self.choices:
            raise OptionError(
                f"{operator}: no {self.name} {value!r}; {nearest_hint(str(value), tuple(map(str, self.choices)))}"
            )
        if not typed and not (value is None and self.default is None):
            raise OptionError(f"{operator}: {self.name} must be {self.kind.__name__}; got {value!r}")


GROUP = "upsamplers"
"""Entry-point group in which an installed package names its own operators."""


@cache
def classes() -> dict[str, type[Upsampler]]:
    """Every registered operator's class by name, sorted: ours, then plug-ins. Two of ours with one name raise."""
    found: dict[str, type[Upsampler]] = {}
    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        for _, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if not issubclass(member, Upsampler) or member.__module__ != module.name or "facts" not in vars(member):
                continue
            name = member.facts.name
            if name in found:
                raise ValueError(f"two operators are named {name!r}: {found[name].__module__} and {module.name}")
            found[name] = member
    for name, plugin in _plugins()[0].items():
        found.setdefault(name, plugin)
    return dict(sorted(found.items()))


def plugin_problems() -> tuple[str, ...]:
    """One line for each plug-in that is not registered: it does not load, is no operator, or its name is taken."""
    taken = tuple(
        f"plug-in {plugin.__module__}:{plugin.__qualname__} is left out: the name {name!r} is taken"
        for name, plugin in _plugins()[0].items()
        if classes()[name] is not plugin
    )
    return _plugins()[1] + taken


@cache
def _plugins() -> tuple[dict[str, type[Upsampler]], tuple[str, ...]]:
    found: dict[str, type[Upsampler]] = {}
    problems = []
    for point in entry_points(group=GROUP):
        try:
            plugin = check_class(point.load())
            if plugin.facts.name in found:
                raise ValueError(f"the name {plugin.facts.name!r} is taken")
            found[plugin.facts.name] = plugin
        except Exception as error:  # whatever a stranger's module raises while it loads
            problems.append(
                f"plug-in {point.value} is left out: {type(error).__name__}: {' '.join(str(error).split())}"
            )
    return found, tuple(problems)


def names() -> tuple[str, ...]:
    """The names of all operators, sorted."""
    return tuple(classes())


def operator_class(name: str | type[Upsampler]) -> type[Upsampler]:
    """The class of a named operator, or of a user's own: ``package.module:Class``, or the class itself.

    Raises UnknownOperator with the nearest match and the list, BrokenOperator for a class that cannot be had.
    """
    if not isinstance(name, str):
        try:
            return check_class(name)
        except TypeError as error:
            raise BrokenOperator(f"no operator {name!r}: {error}") from None
    known = classes()
    if name in known:
        return known[name]
    head, colon, tail = name.rpartition(":")
    if colon and "=" in tail:
        raise UnknownOperator(f"no operator {name!r}: options are arguments here; allowed: {_as_call(head, tail)}")
    if ":" in name and name.partition(":")[0] not in known:
        return own_class(name)
    module = meant(name)
    hint = f"{module}allowed: {', '.join(known)}" if module else nearest_hint(name, known)
    raise UnknownOperator(f"no operator {name!r}; {hint}, and your own as module:Class")


def _as_call(name: str, options: str) -> str:
    """How options that were written into the name, as the command line takes them, are given to `create`."""
    words = {"true": "True", "false": "False", "none": "None"}
    given = []
    for option in options.split(","):
        key, _, value = (part.strip() for part in option.partition("="))
        number = re.fullmatch(r"[+-]?\d+(\.\d+)?", value)
        given.append(f"{key}={value if number else words.get(value.lower(), repr(value))}")
    return f"create({name!r}, channels=…, {', '.join(given)})"


def facts(name: str) -> Facts:
    """The frozen facts of a named operator."""
    return operator_class(name).facts


def class_options(cls: type[Upsampler]) -> dict[str, Option]:
    """The keyword-only options of an operator's constructor, by name."""
    hints = get_type_hints(cls.__init__)
    found = {}
    for parameter in inspect.signature(cls.__init__).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            found[parameter.name] = _option(parameter.name, hints[parameter.name], parameter.default)
    return found


def _option(name: str, hint: Any, default: Any) -> Option:
    if get_origin(hint) in (Union, UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not NoneType)
    if get_origin(hint) is Literal:
        return Option(name, type(get_args(hint)[0]), default, get_args(hint))
    return Option(name, hint, default)


def options(name: str) -> dict[str, Option]:
    """The options of a named operator, by name."""
    return class_options(operator_class(name))


def create(
    name: str | type[Upsampler],
    *,
    channels: int | None,
    guide_channels: int | None = None,
    scale: int = 2,
    **options: Any,
) -> Upsampler:
    """An operator as an `nn.Module`.

    Args:
        name: one of `names()`, or a class of your own, itself or as ``package.module:Class``.
        channels: C of z; None, where the fact `any_channels` holds, for a module that serves every C.
        guide_channels: C of the guide; defaults to `channels`, to 3 where the guide is an image.
        scale: s >= 1; where the guide is an image, of the output whose size is not asked for.
        options: the operator's own, see `options(name)`.

    Raises:
        UnknownOperator: no such name, module or class.
        OptionError: no such option, or a value out of its range.
        Unsupported: channels or a scale that the operator cannot serve.
        TooLarge: parameters that memory does not hold.
    """
    return create_class(operator_class(name), channels, guide_channels, scale, options)


def create_class(
    cls: type[Upsampler], channels: int | None, guide_channels: int | None, scale: int, options: dict[str, Any]
) -> Upsampler:
    """The same for a class that need not be registered, such as a user's own."""
    check_options(cls, options)
    try:
        return cls(channels, guide_channels, scale, **options)  # type: ignore[arg-type]  # None where the class allows it
    except (RuntimeError, OverflowError, MemoryError) as error:
        if not is_too_large(error):
            raise
    given = {"channels": channels, "guide_channels": guide_channels, "scale": scale, **options}
    sizes = ", ".join(f"{key}={value}" for key, value in given.items() if value is not None)
    raise TooLarge(f"{cls.facts.name}: memory does not suffice for the parameters at {sizes}")


def check_options(cls: type[Upsampler], options: dict[str, Any]) -> None:
    """Raise OptionError unless the class has every option, and its value has the option's type."""
    allowed = class_options(cls)
    for option, value in options.items():
        if option not in allowed:
            raise OptionError(f"{cls.facts.name} has no option {option!r}; {nearest_hint(option, allowed)}")
        allowed[option].check(cls.facts.name, value)
