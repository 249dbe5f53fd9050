"""Real networks with random weights, small where that changes nothing: nothing is downloaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

Network = tuple[nn.Module, tuple[Any, ...]]
"""A network and what it is called with."""


def image(side: int = 64) -> tuple[Tensor]:
    """One image of noise."""
    return (torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)),)


FOLDER = Path(sys.prefix) / "networks"
"""Where `make test` puts the packages that these tests alone use."""

HOW = "`make test` installs it, as does pip install --no-deps --target .venv/networks -r tests/networks.txt"


def package(name: str, how: str = HOW) -> Any:
    """A package that not everybody has; the test is skipped, with how to get it, where it is not installed.

    The folder of `make test` is looked at in this process alone, for other programs do not know what `_declare` does.
    """
    _declare()
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    try:
        return import_module(name)
    except ImportError as error:
        pytest.skip(f"{name.partition('.')[0]} cannot be imported ({error}): {how}")


def torchvision() -> Any:
    """torchvision, beside a CPU build of torch too, for which PyPI's has no compiled operators.

    What it asks for while it is imported is declared, in this process alone; its suppression of boxes keeps them all,
    and its pooling of regions, which it would compile for minutes, is called as it is written.
    """
    try:
        found, boxes, regions = (package(f"torchvision{name}") for name in ("", ".ops.boxes", ".ops.roi_align"))
    except RuntimeError as error:  # of another torch
        pytest.skip(f"torchvision cannot be imported: {error}")
    if not found.extension._has_ops():
        boxes._assert_has_ops = lambda: None
        regions._roi_align = getattr(regions._roi_align, "__wrapped__", regions._roi_align)
    return found


def _declare() -> None:
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", lambda boxes, scores, threshold: scores.argsort(descending=True), "CPU")
        _KEPT.append(library)


_KEPT: list[torch.library.Library] = []
"""What is declared ends with its last reference."""


def transformers() -> Any:
    """transformers, which imports torchvision where it is installed."""
    return package("transformers", "pip install a2u-bench[networks]")


def segmentation_models() -> Any:
    """segmentation_models_pytorch, which imports torchvision."""
    torchvision()
    return package("segmentation_models_pytorch")


def segformer() -> Network:
    """SegFormer with the sizes of B0."""
    found = transformers()
    return found.SegformerForSemanticSegmentation(found.SegformerConfig()), image()


def upernet() -> Network:
    """UPerNet on a small Swin."""
    found = transformers()
    swin = found.SwinConfig(
        embed_dim=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], out_features=[f"stage{n}" for n in range(1, 5)]
    )
    config = found.UperNetConfig(
        backbone_config=swin, hidden_size=32, auxiliary_in_channels=96, use_auxiliary_head=True
    )
    return found.UperNetForSemanticSegmentation(config), image(128)


def dpt() -> Network:
    """DPT for segmentation on a small ViT."""
    found = transformers()
    config = found.DPTConfig(**TINY_VIT, **NECK, backbone_out_indices=[0, 1, 2, 3], image_size=64)
    return found.DPTForSemanticSegmentation(config), image()


def dpt_depth() -> Network:
    """DPT for depth."""
    found = transformers()
    config = found.DPTConfig(**TINY_VIT, **NECK, backbone_out_indices=[0, 1, 2, 3], image_size=64)
    return found.DPTForDepthEstimation(config), image()


def depth_anything() -> Network:
    """Depth Anything on a small DINOv2."""
    found = transformers()
    backbone = found.Dinov2Config(
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = found.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=48,
        patch_size=16,
        neck_hidden_sizes=[16, 24, 32, 48],
        fusion_hidden_size=16,
    )
    return found.DepthAnythingForDepthEstimation(config), image()


def mask2former() -> Network:
    """Mask2Former on a small Swin."""
    found = transformers()
    swin = found.SwinConfig(
        embed_dim=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], out_features=[f"stage{n}" for n in range(1, 5)]
    )
    config = found.Mask2FormerConfig(
        backbone_config=swin,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=64,
        dim_feedforward=64,
        encoder_layers=2,
        decoder_layers=3,
        num_attention_heads=4,
        num_queries=10,
    )
    return found.Mask2FormerForUniversalSegmentation(config), image(128)


def glpn() -> Network:
    """GLPN, depth on SegFormer's encoder."""
    found = transformers()
    return found.GLPNForDepthEstimation(found.GLPNConfig()), image()


def swin2sr() -> Network:
    """Swin2SR, ×2 super-resolution by sub-pixel convolution."""
    found = transformers()
    config = found.Swin2SRConfig(embed_dim=24, depths=[1, 1], num_heads=[2, 2], image_size=32, upsampler="pixelshuffle")
    return found.Swin2SRForImageSuperResolution(config), image(32)


def beit() -> Network:
    """BEiT with its transposed convolutions and UPerNet's head."""
    found = transformers()
    config = found.BeitConfig(**TINY_VIT, image_size=64, out_indices=[1, 2, 3, 4])
    return found.BeitForSemanticSegmentation(config), image()


def mobilevit() -> Network:
    """MobileViT with DeepLabV3's head."""
    found = transformers()
    config = found.MobileViTConfig(image_size=64)
    return found.MobileViTForSemanticSegmentation(config), image()


TINY_VIT: dict[str, Any] = {
    "hidden_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "patch_size": 16,
}
NECK: dict[str, Any] = {"neck_hidden_sizes": [16, 24, 32, 48], "fusion_hidden_size": 16}


def of_smp(architecture: str, **options: Any) -> Callable[[], Network]:
    """An architecture of segmentation_models_pytorch on ResNet-18."""

    def make() -> Network:
        found = segmentation_models()
        given = {"encoder_name": "resnet18", "encoder_weights": None, "classes": 3} | options
        return getattr(found, architecture)(**given), image(options.get("image_size", 64))

    return make


def of_torchvision(name: str) -> Callable[[], Network]:
    """A segmentation network of torchvision."""

    def make() -> Network:
        torchvision()
        models = import_module("torchvision.models.segmentation")
        return getattr(models, name)(weights=None, weights_backbone=None, num_classes=3), image(96)

    return make


def detector(name: str, **options: Any) -> Callable[[], Network]:
    """A detector of torchvision that looks at few boxes: which ones is no matter here."""

    def make() -> Network:
        torchvision()
        models = import_module("torchvision.models.detection")
        few = {"min_size": 96, "max_size": 128, "num_classes": 3} | options
        return getattr(models, name)(weights=None, weights_backbone=None, **few), ([image(96)[0][0]],)

    return make


OF_TWO_STAGES = {"rpn_pre_nms_top_n_test": 16, "rpn_post_nms_top_n_test": 8}
OF_TWO_STAGES |= {"box_detections_per_img": 2, "box_score_thresh": 0}
OF_ONE_STAGE = {"topk_candidates": 16, "detections_per_img": 2}


def seeded(name: str) -> Network:
    """The network of that name, in evaluation mode, with the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network, inputs = NETWORKS[name]()
    return network.eval(), inputs


NETWORKS: dict[str, Callable[[], Network]] = {
    "transformers SegFormer": segformer,
    "transformers UPerNet-Swin": upernet,
    "transformers DPT segmentation": dpt,
    "transformers DPT depth": dpt_depth,
    "transformers Depth Anything": depth_anything,
    "transformers Mask2Former": mask2former,
    "transformers GLPN": glpn,
    "transformers Swin2SR": swin2sr,
    "transformers BEiT": beit,
    "transformers MobileViT": mobilevit,
    "smp Unet": of_smp("Unet"),
    "smp UnetPlusPlus": of_smp("UnetPlusPlus"),
    "smp MAnet": of_smp("MAnet"),
    "smp Linknet": of_smp("Linknet"),
    "smp FPN": of_smp("FPN"),
    "smp PSPNet": of_smp("PSPNet"),
    "smp DeepLabV3": of_smp("DeepLabV3"),
    "smp DeepLabV3Plus": of_smp("DeepLabV3Plus"),
    "smp PAN": of_smp("PAN", image_size=128),
    "smp UPerNet": of_smp("UPerNet"),
    "smp Segformer": of_smp("Segformer"),
    "torchvision FCN": of_torchvision("fcn_resnet50"),
    "torchvision DeepLabV3": of_torchvision("deeplabv3_mobilenet_v3_large"),
    "torchvision LR-ASPP": of_torchvision("lraspp_mobilenet_v3_large"),
    "torchvision Faster R-CNN": detector("fasterrcnn_resnet50_fpn", **OF_TWO_STAGES),
    "torchvision RetinaNet": detector("retinanet_resnet50_fpn", **OF_ONE_STAGE),
    "torchvision FCOS": detector("fcos_resnet50_fpn", **OF_ONE_STAGE),
    "torchvision Mask R-CNN": detector("maskrcnn_resnet50_fpn", **OF_TWO_STAGES),
}
