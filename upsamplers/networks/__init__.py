"""Whole networks: every place where one upsamples, and a copy of it with an operator there."""

from upsamplers.networks.finding import find_sites
from upsamplers.networks.placed import Placed
from upsamplers.networks.site import Site
from upsamplers.networks.swapped import Choice, Operators, choices
from upsamplers.networks.swapping import swap

__all__ = ["Choice", "Operators", "Placed", "Site", "choices", "find_sites", "swap"]
