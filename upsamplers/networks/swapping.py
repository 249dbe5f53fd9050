"""`swap`: a copy of a network with an operator at its sites, all of them in one ModuleDict of the network itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from upsamplers.errors import NetworkError, Unsupported, nearest_hint
from upsamplers.networks.finding import sites_of
from upsamplers.networks.nested import tensors
from upsamplers.networks.placed import Placed, place
from upsamplers.networks.recording import Recording, copied, record, run
from upsamplers.networks.site import Site
from upsamplers.networks.watching import Keep, Watch
from upsamplers.operator import Upsampler
from upsamplers.registry import check_options, operator_class

HOLDER = "upsamplers"
"""The name of the ModuleDict in the network."""


@dataclass(frozen=True)
class Choice:
    """What was done at one site, and why."""

    site: Site
    operator: str  # "" where the site is left as it is
    reason: str = ""  # why it is left
    scales: tuple[int, ...] = ()  # of the operators that stand there, one after another
    guided: bool = False
    params: int = 0  # of all that stands there
    align: int = 0  # of these, in 1×1 convolutions that align widths
    removed: int = 0  # parameters of the layers that are no longer needed


class Operators(nn.ModuleDict):
    """Every operator of a swapped network, and what was done at each site."""

    choices: tuple[Choice, ...] = ()


class Whole(nn.Module):
    """A network whose own forward goes through its children, as `nn.Sequential` does, beside its operators."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The network's own."""
        return self.network(*inputs, **options)


def swap(
    network: nn.Module,
    operator: str,
    *inputs: Any,
    sites: Iterable[Site | str] | None = None,
    cascade: bool = False,
    **options: Any,
) -> nn.Module:
    """A copy of a network with an operator at every site where it can stand.

    The copy is of the network's own class, with one more child, `upsamplers`, which holds the operators; a network that
    goes through its own children becomes the child `network` of a new root. It trains, saves, loads its state dict,
    copies, exports and compiles, and takes inputs of other sizes at which it calls the same. Where the network's size
    is no integer multiple, the operator has the next integer scale, and bilinear interpolation brings its map to size.
    Layers that are no longer needed (transposed convolutions, those before a pixel shuffle) lose their parameters.

    Args:
        network: any `nn.Module`; it is not touched.
        operator: one of `names()`, or a class of your own as ``package.module:Class``.
        inputs: the arguments of its forward, as [B, 3, H, W]; it is run on them twice.
        sites: which ones, as `find_sites` gives them or by name; ``["all"]`` is all that are possible. By default those
            without a `reason`.
        cascade: ×4 as two operators of ×2, ×8 as three, as papers count them. Operators of ×2 alone always are.
        options: the operator's own, see `options(operator)`.

    Raises:
        NetworkError: what `find_sites` raises; no site, none that the operator can take, or a name that no site has.
        UnknownOperator, OptionError: as `create`.
    """
    cls = operator_class(operator)
    check_options(cls, options)
    recording = record(copied(network), inputs)
    found = sites_of(recording)
    made = _choose(found, _asked(found, sites), cls, options, cascade)
    if not any(choice.operator for choice, _ in made):
        raise NetworkError(_no_site(type(network).__name__, operator, [choice for choice, _ in made]))
    trained = [module.training for module in network.modules()]
    swapped = _assembled(copied(network), made, recording, found, inputs)
    for module, training in zip(_beside_operators(swapped), trained, strict=True):
        module.training = training
    holder(swapped).train(network.training)
    if isinstance(swapped, Whole):
        swapped.training = network.training
    return swapped


def choices(swapped: nn.Module) -> tuple[Choice, ...]:
    """What was done at each site of a network that `swap` returned, in the order of its forward."""
    return holder(swapped).choices


def holder(swapped: nn.Module) -> Operators:
    """The operators of a swapped network."""
    found = getattr(swapped, HOLDER, None)
    if not isinstance(found, Operators):
        raise NetworkError(f"{type(swapped).__name__} is no swapped network: it has no {HOLDER!r}")
    return found


def _asked(found: Sequence[Site], sites: Iterable[Site | str] | None) -> dict[str, Site]:
    """The sites that are to be swapped, by name."""
    known = {site.name: site for site in found}
    if sites is None:
        return {name: site for name, site in known.items() if not site.reason}
    names = [site.name if isinstance(site, Site) else site for site in ([sites] if isinstance(sites, str) else sites)]
    if names == ["all"]:
        return {name: site for name, site in known.items() if not site.impossible}
    for name in names:
        if name not in known:
            raise NetworkError(f"no site {name!r}; {nearest_hint(name, known)}")
        if known[name].impossible:
            raise NetworkError(f"no operator can stand at {name}: {known[name].reason}")
    return {name: known[name] for name in names}


def _choose(
    found: Sequence[Site], asked: dict[str, Site], cls: type[Upsampler], options: dict[str, Any], cascade: bool
) -> list[tuple[Choice, Placed | None]]:
    """For each site what stands there, or why nothing does."""
    made: list[tuple[Choice, Placed | None]] = []
    for site in found:
        if site.name not in asked:
            made.append((Choice(site, "", site.reason or "not asked for"), None))
            continue
        try:
            placed = place(site, cls, options, cascade)
        except Unsupported as error:
            made.append((Choice(site, "", str(error).removeprefix(f"{cls.facts.name}: ")), None))
            continue
        scales = tuple(int(step.scale) for step in placed.steps)  # type: ignore[arg-type]
        aligns = [one for one in (placed.align, placed.guide_align) if one is not None]
        params, align = _params(placed), sum(map(_params, aligns))
        made.append((Choice(site, cls.facts.name, "", scales, placed.guided, params, align), placed))
    return made


def _no_site(network: str, operator: str, made: Sequence[Choice]) -> str:
    if not made:
        return f"{network} has no site: nothing that upsamples was called in this forward"
    told = "; ".join(f"{choice.site.name}: {choice.reason}" for choice in made[:6])
    more = f"; and {len(made) - 6} more" if len(made) > 6 else ""
    return f"no site of {network} takes {operator}: {told}{more}"


def _assembled(
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
    removed = _params(layer)
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


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _beside_operators(swapped: nn.Module) -> list[nn.Module]:
    """The modules of the network that was swapped, without its operators, in the order of the network's own."""
    network = swapped.network if isinstance(swapped, Whole) else swapped
    theirs = set(holder(swapped).modules())
    assert isinstance(network, nn.Module)
    return [module for module in network.modules() if module not in theirs]
