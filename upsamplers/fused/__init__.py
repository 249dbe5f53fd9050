"""What surrounds wᵀz, each in one pass, with a plain definition that it is bound to forward and backward."""

from upsamplers.fused.affinities import affinity
from upsamplers.fused.gating import gated
from upsamplers.fused.moving import sample_moved
from upsamplers.fused.normalising import normalised_kernels
from upsamplers.fused.passes import PASSES
from upsamplers.fused.pooling import pooled

__all__ = ["PASSES", "affinity", "gated", "normalised_kernels", "pooled", "sample_moved"]
