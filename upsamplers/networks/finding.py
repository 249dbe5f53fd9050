"""`find_sites`: the calls that one forward has shown, as sites with their guides and the policy's word on each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from upsamplers.networks import policy
from upsamplers.networks.flow import Found, nearest_source
from upsamplers.networks.recording import Record, Recording, copied, record
from upsamplers.networks.site import Site


def find_sites(network: nn.Module, *inputs: Any) -> list[Site]:
    """Every call by which a network changes the size of a map, in the order of one forward on `inputs`.

    The forward is that of a copy, in evaluation mode and without gradients; the network itself is not touched. Seen are
    `F.interpolate`, `nn.Upsample`, `ConvTranspose2d`, `PixelShuffle`, `MaxUnpool2d` and `grid_sample`, wherever they
    are called, but not inside parts that are scripted, nor inside operators of this library. `Site.reason` says why
    `swap` leaves a site alone, if it does.

    Args:
        network: any `nn.Module`; what it returns may be a tensor, dict or dataclass.
        inputs: the arguments of its forward, as [B, 3, H, W].

    Raises:
        NetworkError: no network, one that is scripted or compiled, one that cannot be copied or that raises.
    """
    return sites_of(record(copied(network), inputs))


def sites_of(recording: Recording) -> list[Site]:
    """The sites of a recording."""
    branches = ", ".join(path or "." for path in recording.branches)
    told = (f"which way the forward goes depends on values ({branches}): sites hold for these inputs",)
    return [_site(one, recording, told if branches else ()) for one in recording.records]


def _site(one: Record, recording: Recording, told: tuple[str, ...]) -> Site:
    convolution, shape = None, one.shape
    if one.call.kind == "pixel_shuffle" and one.found.node.convolution is not None:
        path, read = one.found.node.convolution
        if recording.calls[path] == 1 and one.found.node.used == 1:
            convolution, shape = path, read.shape
    reason, impossible = policy.verdict(one, shape)
    site = Site(
        one.path,
        one.nth,
        one.call.kind,
        one.call.mode,
        shape,
        one.made,
        align_corners=one.call.align_corners,
        reason=reason,
        impossible=impossible,
        convolution=convolution,
    )
    if impossible:
        return site
    site = replace(site, notes=(*policy.notes(one, site.is_exact, site.scale), *told))
    return _guided(site, one.found)


def _guided(site: Site, found: Found) -> Site:
    """The same site with its guide, where there is one."""
    source = None if found.partner is None else nearest_source(found.partner, found)
    if source is None:
        return site
    node, where = source
    return replace(site, guide=node.shape, source=where, changes=node.changed > found.result.made)
