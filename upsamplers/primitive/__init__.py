"""wᵀz: the one primitive of every upsampler, its adjoints and its downsampling twin."""

from upsamplers.primitive import batching as batching
from upsamplers.primitive.backends import BACKENDS, ENVIRONMENT
from upsamplers.primitive.macs import MACS
from upsamplers.primitive.taps import Taps
from upsamplers.primitive.verbs import correlate, downassemble, reassemble

__all__ = ["BACKENDS", "ENVIRONMENT", "MACS", "Taps", "correlate", "downassemble", "reassemble"]
