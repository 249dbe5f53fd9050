"""Published whole networks with shapes alone, and how their authors' counts differ from those of the libraries' own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from a2u_bench.operators.impossible import Impossible
from a2u_bench.operators.networks.counted import CountedPart, work
from upsamplers import Site, find_sites

ADE_CLASSES, COCO_CLASSES = 150, 80
PROPOSALS = 1000
"""On how many proposals MMDetection's counter runs the head of boxes."""


@dataclass(frozen=True)
class Published:
    """A network on torch's meta device, as its authors' counter ran it, and the lines by which the counts differ.

    `moved_work` takes the side lengths of the image.
    """

    network: nn.Module
    library: str
    moved_params: tuple[CountedPart, ...]
    moved_work: Callable[[int, int], tuple[CountedPart, ...]]

    def params(self) -> list[CountedPart]:
        """Its parameters as published, in lines that add up."""
        counted = sum(parameter.numel() for parameter in self.network.parameters())
        return [CountedPart(f"parameters of the network in {self.library}", counted), *self.moved_params]

    def macs(self, height: int, width: int) -> list[CountedPart]:
        """Its work on one image as published, in lines that add up."""
        return [*work(self.network, _image(height, width)), *self.moved_work(height, width)]

    def upsamplings(self, height: int, width: int) -> Counter[tuple[int, int, int]]:
        """Maps [channels, height, width] that are brought to twice their size, as papers count them: ×4 is twice ×2."""
        found: Counter[tuple[int, int, int]] = Counter()
        for site in self.sites(height, width):
            channels, *sides = site.result[1], *site.shape[2:]
            while sides[0] < site.result[2]:
                found[channels, sides[0], sides[1]] += 1
                sides = [2 * side for side in sides]
        return found

    def sites(self, height: int, width: int) -> list[Site]:
        """Where operators go."""
        return [site for site in find_sites(self.network, _image(height, width)) if not site.reason]


@cache
def published(name: str) -> Published:
    """The network of that name. Impossible, with what to install, where its library cannot be imported."""
    return NETWORKS[name]()


def _image(height: int, width: int) -> Tensor:
    return torch.empty(1, 3, height, width, device="meta")


def _segformer_b1() -> Published:
    """SegFormer-B1 of Xie et al., counted by the script of its authors' repository, github.com/NVlabs/SegFormer.

    Its decode head inherits a classifier of MMSegmentation, which it never calls, from 128 channels.
    """
    try:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation
    except (ImportError, RuntimeError) as error:
        raise Impossible(_missing("transformers", error, "pip install a2u-bench[networks]")) from None
    configure: Any = SegformerConfig  # whose own signature lacks what it inherits
    config = configure(
        hidden_sizes=[64, 128, 320, 512],
        depths=[2, 2, 2, 2],
        decoder_hidden_size=256,
        num_labels=ADE_CLASSES,
        attn_implementation="eager",
    )
    with torch.device("meta"):
        network = SegformerForSemanticSegmentation(config).eval()
        unused = nn.Conv2d(128, ADE_CLASSES, 1)
    never = CountedPart("conv_seg of MMSegmentation's head, 128 to 150 channels, which is never called", _size(unused))
    return Published(network, "transformers", (never,), lambda height, width: ())


def _faster_rcnn() -> Published:
    """Faster R-CNN with ResNet-50 and a feature pyramid, counted by MMDetection's `get_flops` as it trains it on COCO.

    Its stem and first stage are frozen, and its counter takes parameters that train alone. It predicts no box for the
    background. One ReLU is a layer here and a function there, two are the other way round.
    """
    try:
        from torchvision.models.detection import fasterrcnn_resnet50_fpn
    except (ImportError, RuntimeError) as error:
        raise Impossible(_missing("torchvision", error, "pip install torchvision")) from None
    with torch.device("meta"):
        found: Any = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=COCO_CLASSES + 1).eval()
    body, boxes = found.backbone.body, found.roi_heads.box_predictor.bbox_pred
    row = boxes.out_features // (COCO_CLASSES + 1)
    moved = (
        CountedPart("stem and first stage, which are frozen", -sum(map(_size, (body.conv1, body.bn1, body.layer1)))),
        CountedPart("row of the background in the prediction of boxes", -row * (boxes.in_features + 1)),
    )

    def moved_work(height: int, width: int) -> tuple[CountedPart, ...]:
        maps = found.backbone(
            _image(height, width)
        ).values()  # the convolution before that ReLU keeps channels and size
        activated = sum(one.numel() for one in maps)
        return (
            CountedPart("row of the background in the prediction of boxes", -PROPOSALS * row * boxes.in_features),
            CountedPart(
                "ReLU of the proposals' head: a layer here, a function there, which its counter does not see",
                -activated,
            ),
            CountedPart(
                "ReLU after two layers of the boxes' head: functions here, layers there",
                2 * PROPOSALS * boxes.in_features,
            ),
        )

    return Published(_Detector(found), "torchvision", moved, moved_work)


class _Detector(nn.Module):
    """A detector of torchvision up to its choice of boxes, which is no matter of shapes alone: [B, 3, H, W] to scores
    and boxes of as many proposals as the counter takes."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone, self.proposals = detector.backbone, detector.rpn.head
        self.head, self.predictor = detector.roi_heads.box_head, detector.roi_heads.box_predictor
        self.side = detector.roi_heads.box_roi_pool.output_size[0]

    def forward(self, image: Tensor) -> Any:
        """Scores and boxes."""
        maps = list(self.backbone(image).values())
        self.proposals(maps)
        return self.predictor(self.head(image.new_empty(PROPOSALS, maps[0].shape[1], self.side, self.side)))


NETWORKS: dict[str, Callable[[], Published]] = {"segformer-b1": _segformer_b1, "faster-rcnn-r50-fpn": _faster_rcnn}


def _missing(library: str, error: Exception, how: str) -> str:
    """Why a library cannot be imported, in one line, and how to get it."""
    if isinstance(error, ModuleNotFoundError) and error.name == library:
        return f"needs {library}: {how}"
    return f"{library} cannot be imported ({' '.join(str(error).split())}): {how}"


def _size(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())
