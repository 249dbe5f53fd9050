"""Operators as tools look at them: an attribute is there or it is not, and looking never fails."""

from __future__ import annotations

import inspect
from unittest import mock

import pytest

import upsamplers
from upsamplers import testing
from upsamplers.operator import Upsampler, Variant
from upsamplers.registry import operator_class

VARIANTS = [
    pytest.param(name, variant, id=f"{name}-{variant.label}".replace(" ", "_"))
    for name in upsamplers.names()
    for variant in upsamplers.facts(name).variants
]


def raising(thing: object) -> dict[str, str]:
    """The attributes that `dir` names and that raise anything but AttributeError, with what they raise."""
    found = {}
    for name in dir(thing):
        try:
            getattr(thing, name)
        except AttributeError:
            continue
        except Exception as error:
            found[name] = repr(error)
    return found


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_no_attribute_of_an_operator_raises(name: str, variant: Variant) -> None:
    facts = upsamplers.facts(name)
    for options in ({}, {"twin": True}) if facts.twin else ({},):
        op = testing.build(operator_class(name), {**variant.options, **options}, 2)
        assert op is not None
        for thing in (op, type(op), facts, facts.paper, variant, *upsamplers.options(name).values()):
            assert raising(thing) == {}
        assert not facts.twin or isinstance(op.down_kernel_size, int)


@pytest.mark.parametrize("name", upsamplers.names())
def test_an_operator_can_be_listed_and_mocked(name: str) -> None:
    op = testing.build(operator_class(name), {}, 2)
    assert op is not None
    assert {"forward", "facts"} <= {member for member, _ in inspect.getmembers(op)}
    assert mock.create_autospec(op)(1) is not None


class Raising(operator_class("nearest")):  # type: ignore[misc]
    """A property that says in its own way that it is not there."""

    @property
    def down_kernel_size(self) -> int:
        raise upsamplers.Unsupported("no twin")


def test_an_attribute_that_raises_is_found() -> None:
    assert list(raising(Raising(8))) == ["down_kernel_size"]


def test_an_operator_without_a_twin_has_no_window_of_it_and_says_so_where_it_is_used() -> None:
    op: Upsampler = upsamplers.create("nearest", channels=8)
    assert not hasattr(op, "down_kernel_size")
    with pytest.raises(upsamplers.Unsupported, match="nearest has no downsampling twin"):
        op.downsample(mock.Mock())
