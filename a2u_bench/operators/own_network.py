"""A person's own network, MODULE:CALLABLE[:options], and what stands at its sites.

A case names it by what was typed: ``mynet.py:make:classes=19 --cascade --sites decoder#0,decoder#1``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from a2u_bench.errors import BenchError, UsageError, nearest
from a2u_bench.operators import strings
from a2u_bench.operators.catalogue import operator
from a2u_bench.operators.impossible import Impossible

if TYPE_CHECKING:
    from torch import nn

    from upsamplers import Choice

ORIGINAL = "original"
"""What rows of a network call it as it is, with no operator put anywhere."""

ALLOWED = "MODULE:CALLABLE or MODULE:CALLABLE:option=value,…; MODULE may be a file, as mynet.py"


def own_network(text: str, seed: int = 0) -> nn.Module:
    """The network that MODULE:CALLABLE[:options] makes, from a seed, in evaluation mode.

    UsageError for what cannot be read or found, BenchError where the callable raises or returns no `nn.Module`.
    """
    import torch
    from torch import nn

    head, _, tail = text.rpartition(":")
    options: dict[str, Any] = {}
    if "=" in tail:
        try:
            options = dict(strings.options_in(tail, text))
        except UsageError as error:
            raise UsageError(str(error).replace("operator", "network", 1)) from None
    else:
        head = text
    module, colon, name = head.rpartition(":")
    if not (colon and module and name):
        raise UsageError(f"cannot read network {text!r}. Allowed: {ALLOWED}")
    made = _member(_module(module), name, text)
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise UsageError(f"{text!r} is no network: {type(made).__name__}. Allowed: {ALLOWED}")
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                made = made(**options)
        except Exception as error:  # whatever a stranger's callable raises
            raise BenchError(f"{text}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    elif options:
        raise UsageError(f"{text!r} is a network already, which takes no options")
    if not isinstance(made, nn.Module):
        raise BenchError(f"{text} is no network: it must return a torch.nn.Module; got {type(made).__name__}")
    return made.eval()


def sites(network: nn.Module, shape: Sequence[int], seed: int = 0) -> list[Choice]:
    """The sites of a network for one image of this shape, each with why it would be left alone.

    UsageError for a network that raises at such an image.
    """
    from upsamplers import Choice, NetworkError, find_sites

    try:
        return [Choice(site, "", site.reason) for site in find_sites(network, image(shape, seed))]
    except NetworkError as error:
        raise UsageError(str(error)) from None


def swapped(
    network: nn.Module, text: str, shape: Sequence[int], asked: Sequence[str] | None, cascade: bool, seed: int = 0
) -> tuple[nn.Module, list[Choice]]:
    """The network with what an operator string means at its sites, and what was done at each.

    UsageError for a site that is not there and an image that the network does not take, BenchError where none takes it.
    """
    import torch

    from upsamplers import NetworkError, OptionError, choices, swap

    wanted = operator(text)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            options: dict[str, Any] = dict(wanted.options)
            made = swap(network, wanted.name, image(shape, seed), sites=asked, cascade=cascade, **options)
    except OptionError as error:
        raise UsageError(str(error)) from None
    except NetworkError as error:
        there = {"all", *(one.site.name for one in sites(network, shape, seed))}
        raise (BenchError if there.issuperset(asked or ()) else UsageError)(str(error)) from None
    return made, list(choices(made))


def as_typed(network: str, sites: Sequence[str], cascade: bool) -> str:
    """How a case names a network together with how operators are put into it."""
    return " ".join([network, *(["--cascade"] if cascade else []), *([f"--sites {','.join(sites)}"] if sites else [])])


def must_have_sites(typed: str, shape: Sequence[int], seed: int = 0) -> None:
    """UsageError or BenchError, in one line, for a network that cannot be measured: which does not load, raises at this
    image, or has no such site."""
    network, names, _ = _read(typed)
    found = {one.site.name: one.reason for one in sites(own_network(network, seed), shape, seed)}
    for name in names:
        if name not in found and name != "all":
            near = nearest(name, list(found))
            raise UsageError(
                f"--sites {name}: no such site; {f'did you mean {near!r}?' if near else 'see a2u-bench sites'}"
            )
    if not found:
        raise UsageError(f"{network} has no site: nothing that upsamples was called")
    if not names and all(found.values()):
        told = "; ".join(f"{name}: {reason}" for name, reason in list(found.items())[:3])
        raise UsageError(f"{network} has no site to put an operator at ({told}); --sites names one all the same")


def measured(typed: str, options: str, shape: Sequence[int], seed: int = 0) -> nn.Module:
    """The network as it is, or with what an operator string means at its sites, ready to be measured.

    Impossible where no site takes the operator; else what `own_network` raises.
    """
    from a2u_bench.operators.networks.measured import MeasuredNetwork

    network, names, cascade = _read(typed)
    made = own_network(network, seed)
    if options != ORIGINAL:
        try:
            made, _ = swapped(made, options, shape, names or None, cascade, seed)
        except BenchError as error:
            if isinstance(error, UsageError):
                raise
            raise Impossible(str(error)) from None
    return MeasuredNetwork(made)


def _read(typed: str) -> tuple[str, list[str], bool]:
    """The network, the sites that are named, and whether operators are cascaded."""
    network, *words = typed.split(" ")
    names = words[words.index("--sites") + 1].split(",") if "--sites" in words else []
    return network, names, "--cascade" in words


def image(shape: Sequence[int], seed: int) -> Any:
    """Normal noise, [B, C, H, W]."""
    import torch

    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _module(name: str) -> ModuleType:
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())  # a program that pip installs does not look there
    try:
        return _file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except UsageError:
        raise
    except ImportError as error:
        beside = f"; did you mean {name}.py?" if Path(f"{name}.py").is_file() else ""
        raise UsageError(f"cannot import {name!r}: {error}{beside}") from None
    except Exception as error:  # whatever a stranger's module raises while it loads
        raise BenchError(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}") from error


def _file(path: Path) -> ModuleType:
    """A file as a module under its own name, so that what is pickled can be found; its neighbours can be imported."""
    if not path.is_file():
        raise UsageError(f"no file {str(path)!r}. Allowed: {ALLOWED}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(path.stem)
        if before is not None:
            sys.modules[path.stem] = before
        raise
    return module


def _member(module: ModuleType, name: str, text: str) -> Any:
    found: Any = module
    for part in name.split("."):
        there = [one for one in vars(found) if not one.startswith("_")]
        if not hasattr(found, part):
            near = nearest(part, there)
            own = [one for one in there if not isinstance(vars(found)[one], ModuleType)]
            hint = f"did you mean {near!r}?" if near else f"it has {', '.join(own[:8]) or 'nothing'}"
            raise UsageError(f"{text!r}: {module.__name__} has no {part!r}; {hint}")
        found = getattr(found, part)
    return found
