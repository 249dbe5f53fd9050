"""The only door to `upsamplers`. What exists, what a request means, and a ready module for a case.

Torch is imported inside the functions, so that a command that needs none of this stays light.
"""

from a2u_bench.operators.catalogue import (
    Broken,
    Operator,
    every_variant,
    facts,
    load_ours,
    names,
    operator,
    operator_class,
    options,
    plugin_problems,
)
from a2u_bench.operators.definition import (
    counter_formulas,
    definition,
    kernels,
    native_macs,
    primitive_macs,
    samples_points,
)
from a2u_bench.operators.devices import device, gpus, is_device
from a2u_bench.operators.impossible import Impossible
from a2u_bench.operators.loading import preload
from a2u_bench.operators.modules import (
    create,
    expected_macs,
    is_own_network,
    module,
    network_outline,
    official,
    outline,
    seeded,
    why_not,
)
from a2u_bench.operators.own_network import ORIGINAL, as_typed, must_have_sites, own_network, sites, swapped

__all__ = [
    "ORIGINAL",
    "Broken",
    "Impossible",
    "Operator",
    "as_typed",
    "counter_formulas",
    "create",
    "definition",
    "device",
    "every_variant",
    "expected_macs",
    "facts",
    "gpus",
    "is_device",
    "is_own_network",
    "kernels",
    "load_ours",
    "module",
    "must_have_sites",
    "names",
    "native_macs",
    "network_outline",
    "official",
    "operator",
    "operator_class",
    "options",
    "outline",
    "own_network",
    "plugin_problems",
    "preload",
    "primitive_macs",
    "samples_points",
    "seeded",
    "sites",
    "swapped",
    "why_not",
]
