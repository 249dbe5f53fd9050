"""Every feature-upsampling operator behind one interface: g(w, z) = wᵀz."""

from typing import TYPE_CHECKING, Any

from upsamplers.ceiling import Ceiling, ceiling
from upsamplers.errors import NetworkError, OptionError, StateDictError, TooLarge, UnknownOperator, Unsupported
from upsamplers.official import from_official, load_state
from upsamplers.operator import Facts, Paper, Upsampler, Variant
from upsamplers.primitive import Taps, correlate, downassemble, reassemble
from upsamplers.registry import Option, create, facts, names, options

if TYPE_CHECKING:
    from upsamplers.networks import Choice, Site, choices, find_sites, swap

__all__ = [
    "Ceiling",
    "Choice",
    "Facts",
    "NetworkError",
    "Option",
    "OptionError",
    "Paper",
    "Site",
    "StateDictError",
    "Taps",
    "TooLarge",
    "UnknownOperator",
    "Unsupported",
    "Upsampler",
    "Variant",
    "ceiling",
    "choices",
    "correlate",
    "create",
    "downassemble",
    "facts",
    "find_sites",
    "from_official",
    "load_state",
    "names",
    "options",
    "reassemble",
    "swap",
]

_OF_NETWORKS = ("Choice", "Site", "choices", "find_sites", "swap")
"""Loaded when they are asked for: operators are used without them."""


def __getattr__(name: str) -> Any:
    if name not in _OF_NETWORKS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from upsamplers import networks

    return getattr(networks, name)
