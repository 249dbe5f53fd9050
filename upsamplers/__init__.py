"""Every feature-upsampling operator behind one interface: g(w, z) = wᵀz."""

from upsamplers.errors import OptionError, StateDictError, TooLarge, UnknownOperator, Unsupported
from upsamplers.official import from_official, load_state
from upsamplers.operator import Facts, Paper, Upsampler, Variant
from upsamplers.primitive import correlate, downassemble, reassemble
from upsamplers.registry import Option, create, facts, names, options

__all__ = [
    "Facts",
    "Option",
    "OptionError",
    "Paper",
    "StateDictError",
    "TooLarge",
    "UnknownOperator",
    "Unsupported",
    "Upsampler",
    "Variant",
    "correlate",
    "create",
    "downassemble",
    "facts",
    "from_official",
    "load_state",
    "names",
    "options",
    "reassemble",
]
