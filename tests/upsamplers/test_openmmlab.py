"""Operators in MMEngine's registry under MMCV's names of arguments; skipped where MMEngine is not installed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from real_networks import package
from torch import nn

import upsamplers

pytestmark = pytest.mark.filterwarnings("ignore")  # of mmengine and mmcv, which are no longer kept


@pytest.fixture
def models() -> Any:
    """MMEngine's registry of models with the operators in it."""
    registry = package("mmengine.registry")
    from upsamplers import openmmlab

    openmmlab.register()
    return registry.MODELS


def names() -> tuple[str, ...]:
    """Under which names the operators are registered."""
    from upsamplers import openmmlab

    return openmmlab.REGISTERED


def test_every_operator_is_registered_under_its_name_or_one_that_says_whose_it_is(models: Any) -> None:
    assert len(names()) == len(upsamplers.names())
    for name, registered in zip(upsamplers.names(), names(), strict=True):
        assert registered in (name, f"upsamplers_{name}")
        made = models.build({"type": registered, "channels": 8, "scale_factor": 2})
        assert made.facts.name == name


def test_registering_again_changes_nothing(models: Any) -> None:
    from upsamplers import openmmlab

    assert openmmlab.register() == openmmlab.REGISTERED


def test_the_arguments_have_mmcvs_names(models: Any) -> None:
    given = {"up_kernel": 3, "up_group": 2, "encoder_kernel": 5, "encoder_dilation": 2, "compressed_channels": 16}
    registered = names()[upsamplers.names().index("carafe")]
    made = models.build(dict(type=registered, channels=8, scale_factor=4, **given))
    own = {"kernel_size": 3, "groups": 2, "encoder_kernel_size": 5, "encoder_dilation": 2, "compressed_channels": 16}
    expected = upsamplers.create("carafe", channels=8, scale=4, **own)
    assert {key: value.shape for key, value in made.state_dict().items()} == {
        key: value.shape for key, value in expected.state_dict().items()
    }


def test_mmcv_builds_it_from_upsample_cfg(models: Any) -> None:
    mmcv = package("mmcv.cnn")
    made = mmcv.build_upsample_layer({"type": "dysample"}, channels=8, scale_factor=2)
    assert made(torch.randn(1, 8, 5, 6)).shape == (1, 8, 10, 12)
    made = mmcv.build_upsample_layer({"type": "dysample", "scale_factor": 2}, in_channels=8, out_channels=4)
    assert made(torch.randn(1, 8, 5, 6)).shape == (1, 4, 10, 12)
    theirs = mmcv.build_upsample_layer({"type": "deconv"}, 8, 4, 2, stride=2)
    assert isinstance(theirs, nn.ConvTranspose2d)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scale_factor": 2}, "dysample: needs channels"),
        ({"channels": 8, "scale_factor": 1.5}, "dysample: scale_factor=1.5 is out of range"),
        ({"channels": 8, "up_group": 2, "groups": 4}, "dysample: an option is given twice; got up_group, groups"),
        ({"channels": 8, "up_kernel": 3}, "dysample has no option 'kernel_size'"),
    ],
)
def test_what_is_wrong_is_said(models: Any, given: dict[str, Any], said: str) -> None:
    from upsamplers import openmmlab

    with pytest.raises(upsamplers.OptionError, match=said):
        openmmlab.layer("dysample", **given)
