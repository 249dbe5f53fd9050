"""What a person may call a pair, and which pairs there are."""

from __future__ import annotations

import pytest

from a2u_bench.errors import UsageError
from a2u_bench.quality import pairs, presets
from a2u_bench.quality.restoration import WAYS as RESTORATION


def names(text):
    return [pair.name for pair in pairs.read(text)]


def test_core_is_the_papers_eight():
    assert names("core") == list(pairs.RECONSTRUCTION.core)
    assert len(pairs.RECONSTRUCTION.core) == 8


def test_a2u_is_every_sharing_rank_dynamics_and_k():
    found = pairs.read("a2u")
    assert len({pair.name for pair in found}) == 3 * 3 * 3 * 2
    assert {pair.down for pair in found} == {"twin"}
    assert "twin/a2u" in {pair.name for pair in found}
    assert "twin/a2u:dynamics=static,kernel_size=1,rank=4,sharing=unshared" in {pair.name for pair in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nearest,bicubic", ["conv/nearest", "conv/bicubic"]),
        ("deconv pixel_shuffle", ["conv/deconv", "s2d/pixel_shuffle"]),
        ("carafe;twin/carafe", ["pool/carafe", "twin/carafe"]),
        ("sapa,fade,dysample", ["pool/sapa", "pool/fade", "pool/dysample"]),
        ("index_net,max_unpool", ["twin/index_net", "twin/max_unpool"]),
        ("a2u:rank=2,kernel_size=1,a2u:rank=4", ["twin/a2u:kernel_size=1,rank=2", "twin/a2u:rank=4"]),
        ("conv/a2u:twin=true", ["conv/a2u"]),
        ("index_net,a2u", ["twin/index_net", "twin/a2u"]),
        ("core,pool/nearest", [*pairs.RECONSTRUCTION.core, "pool/nearest"]),
        ("nearest,conv/nearest", ["conv/nearest"]),
        (["nearest", "pool/nearest"], ["conv/nearest", "pool/nearest"]),
    ],
)
def test_a_list_of_pairs_is_read_as_it_is_meant(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cone", "no operator 'cone'"),
        ("bilinaer", "did you mean 'bilinear'"),
        ("pol/nearest", "unknown way down 'pol'. Did you mean 'pool'? Allowed: conv, s2d, pool, twin"),
        ("twin/nearest", "'nearest' has no downsampling twin; allowed before it: conv/, s2d/, pool/"),
        ("a2u:rnk=2", "did you mean 'rank'"),
        ("", "--pairs names none"),
        ("conv/", "cannot read operator ''"),
    ],
)
def test_a_pair_that_cannot_be_is_one_line(text, said):
    with pytest.raises(UsageError) as caught:
        pairs.read(text)
    assert said in str(caught.value)


def test_the_papers_preset_is_the_papers():
    paper = presets.preset("paper")
    assert (paper.epochs, paper.batch, paper.learning_rate, paper.momentum) == (100, 100, 0.01, 0.9)
    assert [share * paper.epochs for share in paper.drops] == [50, 70, 85]
    assert (paper.optimiser, paper.train_images) == ("sgd", None)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'short'"):
        presets.preset("shirt")
    with pytest.raises(UsageError, match=r"--learning-rate -1: out of range"):
        presets.preset("short").changed(learning_rate=-1)


@pytest.mark.parametrize(
    ("text", "ways", "said"),
    [
        ("bilinear carafe a2u", pairs.RECONSTRUCTION, "conv/bilinear, pool/carafe, twin/a2u"),
        ("core,carafe,bilinear", pairs.RECONSTRUCTION, "pool/carafe, conv/bilinear"),
        ("carafe sapa", pairs.RECONSTRUCTION, ""),  # one way down for both
        ("conv/bilinear conv/carafe", pairs.RECONSTRUCTION, ""),
        ("core", pairs.RECONSTRUCTION, ""),
        ("a2u", pairs.RECONSTRUCTION, ""),
        ("bilinear carafe", RESTORATION, ""),  # where nothing goes down
    ],
)
def test_ways_down_that_nobody_named_and_that_differ_are_said(text, ways, said):
    found = pairs.differing_downs(text, ways)
    assert (said in found and found.endswith("name one for all")) if said else not found
