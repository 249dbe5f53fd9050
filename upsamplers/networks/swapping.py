"""`swap`: a copy of a network with an operator at its sites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from upsamplers.errors import NetworkError, Unsupported, nearest_hint
from upsamplers.networks.assembling import assembled
from upsamplers.networks.finding import sites_of
from upsamplers.networks.placed import Placed, place
from upsamplers.networks.recording import copied, record
from upsamplers.networks.site import Site
from upsamplers.networks.swapped import Choice, Whole, count, holder
from upsamplers.operator import Upsampler
from upsamplers.registry import check_options, operator_class


def swap(
    network: nn.Module,
    operator: str | type[Upsampler],
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
        operator: one of `names()`, or a class of your own, itself or as ``package.module:Class``.
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
        raise NetworkError(_no_site(type(network).__name__, cls.facts.name, [choice for choice, _ in made]))
    trained = [module.training for module in network.modules()]
    swapped = assembled(copied(network), made, recording, found, inputs)
    for module, training in zip(_beside_operators(swapped), trained, strict=True):
        module.training = training
    holder(swapped).train(network.training)
    if isinstance(swapped, Whole):
        swapped.training = network.training
    return swapped


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
        params, align = count(placed), sum(map(count, aligns))
        made.append((Choice(site, cls.facts.name, "", scales, placed.guided, params, align), placed))
    return made


def _no_site(network: str, operator: str, made: Sequence[Choice]) -> str:
    if not made:
        return f"{network} has no site: nothing that upsamples was called in this forward"
    told = "; ".join(f"{choice.site.name}: {choice.reason}" for choice in made[:6])
    more = f"; and {len(made) - 6} more" if len(made) > 6 else ""
    return f"no site of {network} takes {operator}: {told}{more}"


def _beside_operators(swapped: nn.Module) -> list[nn.Module]:
    """The modules of the network that was swapped, without its operators, in the order of the network's own."""
    network = swapped.network if isinstance(swapped, Whole) else swapped
    theirs = set(holder(swapped).modules())
    assert isinstance(network, nn.Module)
    return [module for module in network.modules() if module not in theirs]
