"""The copy of a network with its operators: what they replace is emptied, and whoever calls a site is watched."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from upsamplers.errors import NetworkError
from upsamplers.networks.nested import tensors
from upsamplers.networks.placed import Placed
from upsamplers.networks.recording import Recording, run
from upsamplers.networks.site import Site
from upsamplers.networks.swapped import HOLDER, Choice, Operators, Whole, count, holder
from upsamplers.networks.watching import Keep, Watch


def assembled(
    network: nn.Module,
    made: Sequence[tuple[Choice, Placed | None]],
    recording: Recording,
    found: Sequence[Site],
    inputs: tuple[Any, ...],
) -> nn.Module:
    """The copy with its operators, run once: in the network itself, or, where that does not run so, beside it."""
    modules = dict(network.named_modules())
    operators, keys = Operators(), {}
    for choice, placed in made:
        if placed is not None:
            keys[choice.site.name] = key = _key(choice.site, operators)
            operators[key] = placed
    _to_type(operators, network, inputs)
    operators.choices = tuple(
        replace(choice, removed=_emptied(choice.site, found, keys, modules)) if placed is not None else choice
        for choice, placed in made
    )
    _watch(modules, operators, [site for site in found if site.name in keys], keys, recording)
    for module in [*network.modules(), *operators.modules()]:
        module.training = False
    if not hasattr(network, HOLDER):
        network.add_module(HOLDER, operators)
        try:
            _check(network, inputs)
            return network
        except NetworkError:
            del network._modules[HOLDER]
    whole = Whole(network)
    whole.add_module(HOLDER, operators)
    _check(whole, inputs)
    return whole


def _check(swapped: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Run a copy of it. NetworkError unless that runs and reaches every operator."""
    copied = copy.deepcopy(swapped)
    missed = {placed.name for placed in holder(copied).values() if isinstance(placed, Placed)}
    for placed in holder(copied).values():
        placed.register_forward_hook(lambda module, given, made: missed.discard(module.name))
    run(copied, inputs)
    if missed:
        raise NetworkError(f"{type(swapped).__name__}: a second forward does not come to {', '.join(sorted(missed))}")


def _key(site: Site, taken: Operators) -> str:
    key = f"{site.path.replace('.', '_') or 'network'}_{site.nth}"
    while key in taken:
        key += "_"
    return key


def _to_type(operators: nn.Module, network: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Operators have the network's type and device: those of its first floating-point parameter, or of the inputs."""
    for tensor in (*network.parameters(), *(tensor for _, tensor in tensors(inputs))):
        if tensor.is_floating_point():
            operators.to(tensor.device, tensor.dtype)
            return


def _emptied(site: Site, found: Sequence[Site], keys: dict[str, str], modules: dict[str, nn.Module]) -> int:
    """Take the parameters from the layer that an operator replaces; how many there were.

    A layer that is still called somewhere, has hooks or computes its weight keeps them.
    """
    path = site.convolution or site.path
    layer = modules[path]
    if not isinstance(layer, (nn.ConvTranspose2d, nn.Conv2d)) or any(
        len(p) for p in (layer._forward_pre_hooks, layer._modules)
    ):
        return 0
    if any(one.name not in keys for one in found if one.path == path):
        return 0
    removed = count(layer)
    for name, parameter in list(layer._parameters.items()):
        del layer._parameters[name]
        # The layer's own forward still reads its weight, for the size of its kernel alone.
        setattr(layer, name, None if parameter is None else torch.empty_like(parameter, device="meta").detach())
    return removed


def _watch(
    modules: dict[str, nn.Module],
    operators: Operators,
    swapped: Sequence[Site],
    keys: dict[str, str],
    recording: Recording,
) -> None:
    """Give each module that has to do with a site its `Watch`."""
    sites: dict[str, dict[int, str]] = {"": {}}
    keeps: dict[str, list[Keep]] = {}
    for site in swapped:
        key = keys[site.name]
        sites.setdefault(site.path, {})[site.nth] = key
        if operators[key].guided and site.source is not None:
            keeps.setdefault(site.source.path, []).append(Keep(key, site.source, site.changes))
    passes = {site.convolution for site in swapped if site.convolution is not None}
    aside = set(_aside(modules, [path for path, keyed in sites.items() if keyed], recording))
    for path in sorted({*sites, *keeps, *passes, *aside}):
        module = modules[path]
        if not isinstance(module, torch.jit.ScriptModule):
            watch = Watch(module, path, operators, sites.get(path, {}), tuple(keeps.get(path, ())), path in passes)
            vars(module)["forward"] = watch


def _aside(modules: dict[str, nn.Module], owners: Sequence[str], recording: Recording) -> Iterator[str]:
    """The modules that run below an owner of sites: what they call is not the owner's."""
    for owner in owners:
        yield from (path for above, path in recording.below if above == owner)
        for path, module in modules.items():
            is_below = path != owner and (not owner or path.startswith(f"{owner}."))
            if is_below and (module._modules or not type(module).__module__.startswith("torch.nn.")):
                yield path
