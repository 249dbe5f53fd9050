"""Official weights: what is loaded is what was stored, and each way not to fit has one line that names the keys."""

from __future__ import annotations

import os
import pickle
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_files import load
from safetensors.torch import save_file
from torch import Tensor

import upsamplers
from upsamplers import OptionError, StateDictError, UnknownOperator, Unsupported, Upsampler
from upsamplers.registry import operator_class

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "a2u": ("a2u/share_s3_k6_g1_tiny", {"channels": 16}),
    "carafe": ("carafe/s2_k5_g1_ek3_d1_tiny", {}),
    "ddf_up": ("ddf_up/s3_joint_2x3", {}),
    "dlu": ("dlu/s2_k5_tiny", {}),
    "dysample": ("dysample/lp_ds1_g4_s2_tiny", {}),
    "featup_jbu": ("featup_jbu/stack_k4_r1_x16", {"scale": 16}),
    "fade": ("fade/root_l2h_k5_tiny", {}),
    "fade_lite": ("fade/root_l2h_lite_k5_tiny", {}),
    "freqfusion": ("freqfusion/resample_tiny", {}),
    "index_net": ("indexnet/m2o_nl1_ctx1_tiny_train", {}),
    "lda_aqu": ("lda_aqu/k3_g2_s2_tiny", {}),
    "naf": ("naf/D16_h2_k3_out16x24", {"heads": 2, "rope_heads": 2, "kernel_size": 3}),
    "raysup": ("raysup/D32_h2_out12x14", {"heads": 2}),
    "resfu": ("resfu/s2_tiny_mid16", {}),
    "sapa_d": ("sapa_d/p9_g4_s2_tiny", {}),
    "uplift": ("uplift/attender_n17_g20_x2", {}),
    "sapa": ("sapa/SAPAExp_gate_k5_s2_tiny", {}),
    "upsample_anything": ("upsample_anything/R2_s4", {"scale": 4, "radius": 2}),
}


REWRITTEN = ("anyup", "jafar")
"""Whose state dicts have layers without effect, which are left out: test_golden_image_guided.py tests how they load."""

OPTIONAL = ("scope.weight", "relative_position_bias_table")
"""Keys without which a state dict is that of the operator with another option."""


def state_of(name: str) -> dict[str, Tensor]:
    return dict(load(CASES[name][0]).state)


def loaded(name: str, state: Any, **options: Any) -> Upsampler:
    return upsamplers.from_official(name, state, **{**CASES[name][1], **options})


def refused(name: str, state: Any, **options: Any) -> str:
    """The message of the refusal, which is one line and begins with the operator."""
    with pytest.raises(StateDictError) as caught:
        loaded(name, state, **options)
    message = str(caught.value)
    assert message.startswith(f"{name}: ") and "\n" not in message
    return message


every = pytest.mark.parametrize("name", CASES)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_module_keeps_the_dtype_and_every_value_and_is_in_eval_mode(name: str, dtype: torch.dtype) -> None:
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state_of(name).items()}
    op = loaded(name, state)
    assert not any(module.training for module in op.modules())
    assert all(parameter.requires_grad and parameter.dtype == dtype for parameter in op.parameters())
    keys = operator_class(name).official(state, {"scale": 2, **CASES[name][1]})[1]
    own = op.state_dict()
    assert set(keys) == set(state) and set(keys.values()) == set(own)
    for theirs, ours in keys.items():
        assert own[ours].dtype == state[theirs].dtype
        assert torch.equal(own[ours], state[theirs])


@every
def test_the_callers_tensors_are_copied(name: str) -> None:
    state = state_of(name)
    op = loaded(name, state)
    kept = {key: value.clone() for key, value in state.items()}
    with torch.no_grad():
        for tensor in op.state_dict().values():
            tensor.add_(1)
    assert all(torch.equal(value, kept[key]) for key, value in state.items())


def test_the_twin_is_there_where_the_state_dict_has_it() -> None:
    assert loaded("index_net", state_of("index_net")).downsample(torch.randn(1, 32, 4, 4).double()).shape[-1] == 2
    assert not vars(loaded("carafe", state_of("carafe")))["twin"]
    up_and_down = state_of("a2u")
    assert vars(loaded("a2u", up_and_down))["twin"]
    up_only = {key: value for key, value in up_and_down.items() if "DP" not in key}
    assert not vars(loaded("a2u", up_only))["twin"]


@every
@pytest.mark.parametrize("other", CASES)
def test_weights_of_another_operator_are_refused(name: str, other: str) -> None:
    if name == other:
        return
    message = refused(name, state_of(other))
    if {name, other} == {"fade", "fade_lite"}:  # the same keys; shapes tell them apart
        assert "content_encoder.weight' is" in message
    else:
        assert f"these are the keys of {other}" in message or "these are the keys of fade or fade_lite" in message


def test_the_operator_whose_weights_they_are_is_named() -> None:
    assert refused("sapa", state_of("carafe")).endswith("; these are the keys of carafe")
    assert refused("carafe", state_of("sapa")).endswith("; these are the keys of sapa")


@every
def test_every_missing_key_is_named(name: str) -> None:
    for key in state_of(name):
        if key not in OPTIONAL:
            assert repr(key) in refused(name, {k: v for k, v in state_of(name).items() if k != key})


@every
def test_an_unknown_key_is_named(name: str) -> None:
    assert "'surplus.weight'" in refused(name, {**state_of(name), "surplus.weight": torch.zeros(3)})


def test_the_keys_of_a_prefixed_state_dict_are_named_up_to_eight() -> None:
    prefixed = {f"module.{key}": value for key, value in state_of("index_net").items()}
    assert "and 20 more" in refused("index_net", prefixed)


@every
def test_every_misshapen_tensor_is_named(name: str) -> None:
    for key, value in state_of(name).items():
        longer = torch.cat([value, value, value]) if value.ndim else value.repeat(3)
        assert repr(key) in refused(name, {**state_of(name), key: longer}), key


@every
def test_a_tensor_with_a_dimension_too_few_is_refused(name: str) -> None:
    for key, value in state_of(name).items():
        if value.ndim:
            assert repr(key) in refused(name, {**state_of(name), key: value[0]}), key


@every
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_named(name: str, value: float) -> None:
    for key, tensor in state_of(name).items():
        if tensor.is_floating_point():
            broken = tensor.clone()
            broken.view(-1)[-1] = value
            assert refused(name, {**state_of(name), key: broken}) == f"{name}: NaN or infinite values in {key!r}"


@every
@pytest.mark.parametrize("value", [None, 3, [1.0], "weights", {"nested": torch.zeros(1)}])
def test_what_is_no_tensor_is_refused(name: str, value: object) -> None:
    key = next(iter(state_of(name)))
    assert f"{key!r} holds {type(value).__name__}" in refused(name, {**state_of(name), key: value})


@pytest.mark.parametrize("state", [{}, None, [], "weights", torch.zeros(1)])
def test_what_is_no_state_dict_is_refused(state: object) -> None:
    assert "a state dict maps keys to tensors" in refused("carafe", state)


@pytest.mark.parametrize("kind", [torch.int64, torch.complex64, "meta", "sparse"])
def test_tensors_of_another_kind_are_refused(kind: Any) -> None:
    state, key = state_of("carafe"), "content_encoder.weight"
    converted = state[key].to_sparse() if kind == "sparse" else state[key].to(kind)
    assert repr(key) in refused("carafe", {**state, key: converted})


def test_an_option_that_the_weights_contradict_is_refused() -> None:
    state = state_of("index_net")
    assert "mode=o2o was given, but the state dict has mode=m2o" in refused("index_net", state, mode="o2o")
    assert "context=False was given" in refused("index_net", state, context=False)
    assert "twin=True was given" in refused("carafe", state_of("carafe"), twin=True)
    assert "'content_encoder.weight' is [100, 64, 3, 3]" in refused("carafe", state_of("carafe"), scale=3)
    assert vars(loaded("index_net", state, mode="m2o"))["mode"] == "m2o"


def test_options_are_checked_before_the_weights() -> None:
    with pytest.raises(OptionError, match="carafe has no option 'kernel'; did you mean 'kernel_size'"):
        loaded("carafe", state_of("carafe"), kernel=5)
    with pytest.raises(OptionError, match="kernel_size must be int; got '5'"):
        loaded("carafe", state_of("carafe"), kernel_size="5")
    for scale in (0, 2.0, True, "2"):
        with pytest.raises(OptionError, match="scale="):
            loaded("carafe", state_of("carafe"), scale=scale)


def test_names_without_official_weights_are_refused() -> None:
    allowed = ", ".join(sorted([*CASES, *REWRITTEN]))
    for state in (state_of("carafe"), {}):
        with pytest.raises(Unsupported, match=f"nearest has no official weights to load; allowed: {allowed}$"):
            upsamplers.from_official("nearest", state)
    with pytest.raises(UnknownOperator, match="did you mean 'carafe'"):
        upsamplers.from_official("caraffe", state_of("carafe"))


@pytest.mark.parametrize("wrapped", [False, True])
def test_tensors_are_read_from_safetensors_and_from_torch_files(tmp_path: Path, wrapped: bool) -> None:
    state = {key: value.contiguous() for key, value in state_of("carafe").items()}
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"epoch": 3, "state_dict": state} if wrapped else state, tmp_path / "a.pth")
    for file in ("a.safetensors", "a.pth"):
        found = upsamplers.load_state(tmp_path / file)
        assert found.keys() == state.keys() and all(torch.equal(found[key], state[key]) for key in state)
        assert loaded("carafe", found).channels == 32


class Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_no_code_in_a_file_is_ever_run(tmp_path: Path, suffix: str) -> None:
    mark = tmp_path / "ran"
    torch.save({"weight": Hostile(mark)}, tmp_path / f"zip{suffix}")
    (tmp_path / f"plain{suffix}").write_bytes(pickle.dumps(Hostile(mark), protocol=2))
    for kind in ("zip", "plain"):
        with pytest.raises(StateDictError, match="is no file of tensors"):
            upsamplers.load_state(tmp_path / f"{kind}{suffix}")
    assert not mark.exists()
    pickle.loads((tmp_path / f"plain{suffix}").read_bytes())
    assert mark.exists(), "the pickle would have run"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"weights", bytes(range(256)) * 4, b"PK\x03\x04broken"])
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(StateDictError) as caught:
        upsamplers.load_state(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    path, state, draw = tmp_path / f"a{suffix}", {"a": torch.zeros(4)}, random.Random(0)
    if suffix == ".pth":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    else:
        save_file(state, path)
    whole = path.read_bytes()
    refusals = 0
    for _ in range(60):
        damaged = bytearray(whole[: draw.randrange(len(whole))] if draw.random() < 0.3 else whole)
        for place in draw.sample(range(len(damaged)), min(4, len(damaged))):
            damaged[place] = draw.randrange(256)
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch tells of odd pickle protocols
            try:
                upsamplers.load_state(path)
            except StateDictError:
                refusals += 1
    assert refusals > 30


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_not_there_is_named(tmp_path: Path, suffix: str) -> None:
    for path in (tmp_path / f"none{suffix}", tmp_path):
        with pytest.raises(StateDictError, match=r"cannot read .*: "):
            upsamplers.load_state(path)
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(StateDictError, match="only tensors are loaded; 'epoch' holds int"):
        upsamplers.load_state(tmp_path / "a.pth")
