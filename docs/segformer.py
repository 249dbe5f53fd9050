"""SegFormer-B1 with random weights, as `a2u-bench sites docs/segformer.py:b1` makes it; needs transformers."""

from __future__ import annotations

from torch import nn


def b1(classes: int = 150) -> nn.Module:
    """The network of Xie et al., "SegFormer", NeurIPS 2021, arXiv 2105.15203, in the sizes of B1."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        hidden_sizes=[64, 128, 320, 512], depths=[2, 2, 2, 2], decoder_hidden_size=256, num_labels=classes
    )
    network: nn.Module = SegformerForSemanticSegmentation(config)
    return network
