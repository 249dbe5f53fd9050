"""Published cost tables: how printed digits are read, which cells are reached and by which rule, a user's own table."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from a2u_bench import operators
from a2u_bench.audit import published
from a2u_bench.audit.published import MACS, Misprint, PublishedCell, PublishedSite, PublishedTable, Whole, parse_printed
from a2u_bench.audit.published.reproduce import costs, macs, params, reproduce
from a2u_bench.cli import main
from a2u_bench.errors import UsageError

MISPRINTS = {
    ("segformer-b1", "sapa:mode=gated", "params"),
    ("segformer-b1", "sapa:mode=gated", "macs"),
    ("segformer-b1", "deconv", "macs"),
    ("a2u-matting", "sapa:mode=gated", "params"),
    ("upernet", "sapa_d", "params"),
    ("upernet", "fade", "params"),
}
NOT_REPRODUCED = {
    ("a2u-matting", "index_net:mode=m2o,hidden={2c}", "macs"): "not reproduced",
    ("features", "naf", "macs"): "not reproduced",
}
EXACT = {
    ("segformer-b1", "carafe", "params"): 6 * (64 * 256 + 57_764),
    ("segformer-b1", "index_net", "macs"): 14_592 * (32 * 256**2 + 12 * 256),
    ("segformer-b1", "a2u", "params"): 6 * (42 * 256 + 38),
    ("segformer-b1", "a2u:twin=true", "params"): 6 * (78 * 256 + 74),
    ("segformer-b1", "fade", "macs"): 14_592 * (429 * 256 + 72_000),
    ("segformer-b1", "fade_lite", "params"): 6 * (51 * 256 + 276),
    ("segformer-b1", "sapa", "macs"): 14_592 * (260 * 256 + 3_200),
    ("segformer-b1", "deconv", "macs"): 14_592 * 9 * 256**2,
    ("segformer-b1", "dysample:style=pl,dynamic_scope=true", "params"): 6 * 8 * 256,
    ("a2u-matting", "a2u:twin=true", "params"): 74 * 512 + 4 * 74,
    ("a2u-matting", "index_net:mode=m2o,hidden={2c}", "params"): 136 * 90_112 + 16 * 512,
    ("a2u-matting", "sapa", "params"): 68 * 512 + 4 * 64,
    ("a2u-matting", "bilinear", "params"): 8_049_003,
    ("a2u-matting", "nearest", "params"): 8_049_003,
    ("segformer-b1", "sapa_d", "params"): 6 * 139_808,
    ("segformer-b1", "sapa_d", "macs"): 14_592 * (297_472 + 5 * 36 * (128 + 256)),
    ("panoptic-fpn", "freqfusion", "params"): 3 * 104_690,
    ("faster-rcnn", "a2u", "params"): 46_800_000 + 4 * 10_790,
    ("faster-rcnn", "dysample:dynamic_scope=true", "params"): 46_800_000 + 4 * 16_416,
    ("faster-rcnn", "sapa:embedding=64", "params"): 46_800_000 + 4 * 33_920,
    ("faster-rcnn", "lda_aqu", "params"): 46_800_000 + 4 * (39_410 - 9 * 64),
    ("faster-rcnn", "lda_aqu:reduction=16", "params"): 46_800_000 + 4 * 10_250,
    ("faster-rcnn", "fade", "params"): 46_800_000 + 4 * 47_514,
    ("faster-rcnn", "carafe", "params"): 46_800_000 + 4 * 74_148,
    ("faster-rcnn", "sapa_d", "params"): 4 * 139_808,
    ("upernet", "sapa_d", "params"): 3 * (128 * (2 * 512 + 2) + 288 * 513),
    ("dlu", "dlu", "params"): 100 - Fraction(100 * 326_297, 3_709_248),
}
"""Counts by the formulas of the papers, at the sites of the tables."""

CELLS = [(name, cell) for name in published.names() for cell in published.find(name).cells if not cell.is_of_library]
SITE = "[[site]]\nchannels = 64\nheight = 8\nwidth = 4\n"


WHOLE = '[[cell]]\noperator = "a2u"\nparams = "8M"\n'


def table(
    *cells: PublishedCell, sites: tuple[PublishedSite, ...] = (PublishedSite(64, 8, 4),), **fields
) -> PublishedTable:
    return PublishedTable("own", "own", sites, cells, **fields)


def params_cell(operator: str, text: str, **fields) -> PublishedCell:
    return PublishedCell(operator, operator, "params", parse_printed(text), **fields)


def written(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("name", "cell"), CELLS, ids=[f"{n}-{c.operator}-{c.quantity}" for n, c in CELLS])
def test_every_published_cell_agrees_to_its_digits_or_is_a_proven_misprint(name: str, cell: PublishedCell):
    (one,) = reproduce(replace(published.find(name), cells=(cell,)))
    key = (name, cell.operator, cell.quantity)
    assert one.verdict == ("known misprint" if key in MISPRINTS else NOT_REPRODUCED.get(key, "agrees")), one
    assert one.why
    assert cell.source is not None
    assert (name, cell.operator, cell.quantity) not in EXACT or one.recomputed == EXACT[
        name, cell.operator, cell.quantity
    ]


def test_every_exact_count_and_misprint_belongs_to_a_cell():
    known = {(name, cell.operator, cell.quantity) for name, cell in CELLS}
    assert known.issuperset(EXACT)
    assert known.issuperset(MISPRINTS)
    assert known.issuperset(NOT_REPRODUCED)


def test_the_printed_work_of_naf_is_that_of_its_convolutions_alone():
    table = published.find("features")
    (cell,) = [cell for cell in table.cells if (cell.operator, cell.quantity) == ("naf", "macs")]
    (site,) = table.sites
    naf = operators.outline("naf", site.channels, site.guide_channels, site.scale)
    pairs = (site.scale**2 * site.height * site.width) * 9**2
    attention = pairs * (256 + site.channels)
    assert cell.printed.compare(naf.macs(site.height, site.width) - attention) == "agrees"
    assert cell.note == "it is that of all but the attention"


@pytest.mark.parametrize(
    ("text", "unit", "value", "verdict"),
    [
        (".44M", "", 444_999, "agrees"),
        ("0.44M", "", 435_000, "agrees"),
        ("0.44M", "", 445_000, "truncated"),
        ("0.44M", "", 449_999, "truncated"),
        ("0.44M", "", 450_000, "differs"),
        ("0.44M", "", 434_999, "differs"),
        ("80K", "", 79_992, "agrees"),
        ("+12.60M", "", 12_601_344, "agrees"),
        ("0", "", 0, "agrees"),
        ("0", "", 1, "differs"),
        ("30.65", "GMACs", 30_646_468_608, "agrees"),
        ("2.90", "GFLOPs", 1_450_000_000, "agrees"),
        ("8.61", "GiMACs", 9_244_000_000, "agrees"),
        ("8.61", "GMACs", 9_244_000_000, "differs"),
    ],
)
def test_a_count_agrees_with_printed_digits_is_cut_to_them_or_differs(text, unit, value, verdict):
    assert parse_printed(text, unit).compare(value) == verdict


@pytest.mark.parametrize("text", ["", ".", "M", "1,000", "-3", "1e6", "12.6 M", "∞", "1" * 40])
def test_a_number_that_cannot_be_read_is_an_error(text):
    with pytest.raises(UsageError, match="cannot read the printed number"):
        parse_printed(text)


def test_a_count_is_written_in_the_printed_unit_with_two_more_digits():
    assert parse_printed("0.44M").write(444_888) == "0.4449M"
    assert parse_printed("80K").write(79_992) == "79.99K"
    assert parse_printed("0").write(17) == "17"
    assert parse_printed("0.02M").write(4) == "0.0000M"
    assert parse_printed("1.45", MACS).reading("GFLOPs").write(parse_printed("1.45", MACS).value, 0) == "2.90"


def test_a_rule_leaves_out_parameters_by_their_name_or_the_class_of_their_module():
    one = table()
    assert params("a2u", one) == 42 * 64 + 38
    assert params("a2u", one, ("GroupNorm",)) == 42 * 64 + 38 - 4 * 64
    assert params("deconv", one, ("bias",)) == 9 * 64**2
    assert params("deconv", one, ("ConvTranspose2d",)) == 0


def test_a_wrong_module_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    outline = operators.outline

    def wider(options, channels, guide_channels=None, scale=2):
        return outline("deconv" if options == "carafe" else options, channels, guide_channels, scale)

    monkeypatch.setattr(operators, "outline", wider)
    found = {(one.cell.operator, one.cell.quantity): one for one in reproduce(published.find("segformer-b1"))}
    assert found["carafe", "params"].verdict == "differs"
    assert "recomputed / published = 8.05" in found["carafe", "params"].why
    assert found["carafe", "macs"].verdict == "differs"
    assert found["fade", "params"].verdict == "agrees"


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (Misprint("counted twice", times=2), "known misprint"),
        (Misprint("counted thrice", times=3), "differs"),
        (Misprint("a2u's", copied="a2u"), "differs"),
    ],
)
def test_a_misprint_is_believed_only_if_the_modules_bear_it_out(claim, verdict):
    (one,) = reproduce(table(params_cell("deconv", "73.9K", misprint=claim)))
    assert one.verdict == verdict
    assert claim.why in one.why


def test_a_cell_that_no_variant_matches_is_not_reproduced_and_is_not_called_a_misprint():
    right, other, none = reproduce(
        table(
            params_cell("deconv", "36.9K", unmatched=True),
            params_cell("dysample", "272", unmatched=True),
            params_cell("dysample", "273", unmatched=True),
        )
    )
    assert right.verdict == "agrees"
    assert (other.verdict, other.why) == ("differs", "said to match no variant, but dysample:style=pl does")
    assert (none.verdict, none.why) == ("not reproduced", "none of 5 variants has this cost in any unit")


def test_sites_count_and_channels_in_an_operator_follow_the_site():
    sites = (PublishedSite(16, 4, 4, count=2), PublishedSite(8, 2, 6, count=3, scale=3))
    one = table(sites=sites)
    assert macs("nearest", one) == 2 * 16 * 4 * 4 * 4 + 3 * 8 * 2 * 6 * 9
    assert params("index_net:mode=m2o,hidden={2c}", table(sites=(PublishedSite(16, 4, 4),))) == 136 * 16**2 + 16 * 16
    assert macs("carafe", table(sites=(PublishedSite(64, 8, 8, guide_channels=32),))) > 0


def test_a_whole_network_is_counted_in_place_of_its_sites():
    whole = Whole("matting-unet", 32, 64)
    printed = [params_cell(operator, "8.05M", whole=whole) for operator in ("bilinear", "index_net", "deconv")]
    first, second, third = reproduce(table(*printed, sites=(PublishedSite(1, 1, 1),)))
    assert first.recomputed is not None and second.recomputed is not None and third.recomputed is not None
    alone = [64, 64, 128, 256]
    assert (first.recomputed, first.verdict, first.why) == (8_049_003, "agrees", "all parameters")
    assert second.recomputed - first.recomputed == sum(32 * c**2 + 12 * c for c in alone)
    assert (third.recomputed - first.recomputed, third.verdict) == (sum(9 * c**2 + c for c in alone), "differs")
    work = PublishedCell("b", "bilinear", "macs", parse_printed("0.36", "GiMACs"), unit="GiMACs", whole=whole)
    (one,) = reproduce(table(work))
    assert one.recomputed is not None
    # As much less than the published 8.61 as the image is smaller, but for the pooled point of the pyramid.
    published_work = operators.network_outline("matting-unet", "bilinear").convolutions(224, 224)
    assert (one.recomputed - 256**2) * 224**2 == (published_work - 256**2) * 32 * 64
    assert one.why.startswith("1024³ multiply-adds of convolutions")


def test_a2u_adds_less_than_half_a_per_cent_of_parameters_to_its_matting_network_as_its_abstract_says():
    table = published.find("a2u-matting")
    assert params("a2u:twin=true", table) == 40_232
    assert 100 * Fraction(40_232, 8_049_003) < Fraction("0.5")


def test_costs_of_all_operators_name_those_that_cannot_serve_a_site():
    found = {cost.operator: cost for cost in costs(table(sites=(PublishedSite(64, 4, 4, guide_channels=32),)))}
    assert {"nearest", "a2u", "fade"} <= set(found)
    assert found["nearest"].macs == 64 * 64
    assert found["fade"].params is None
    assert "equally wide" in found["fade"].reason


def test_a_named_operator_that_cannot_serve_a_site_is_wrong_usage():
    with pytest.raises(UsageError, match="64×4×4"):
        costs(table(sites=(PublishedSite(64, 4, 4, guide_channels=32),), operators=("fade",)))
    with pytest.raises(UsageError, match="did you mean 'carafe'"):
        costs(table(operators=("carafee",)))


def test_a_user_s_own_operator_that_fails_leaves_the_others_counted(tmp_path, monkeypatch):
    (tmp_path / "failing_plugin.py").write_text(
        "from upsamplers import Facts, Upsampler\n"
        "class Fails(Upsampler):\n"
        "    facts = Facts('fails', 'Fails', 'first order', kernel_size=3, groups='1', taps='9')\n"
        "    def weights(self, z, guide=None):\n"
        "        return z.new_ones(1, 1, 9, 2, 2)\n"
        "    def macs(self, height, width):\n"
        "        raise RuntimeError('no formula')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own, nearest = costs(table(operators=("failing_plugin:Fails", "nearest")))
    assert own.reason == "RuntimeError: no formula"
    assert nearest.macs == 64 * 32 * 4


def test_a_user_s_table_holds_operators_and_printed_cells(tmp_path, capsys):
    text = (
        'operators = ["nearest"]\n' + SITE + "count = 3\n"
        '[[cell]]\noperator = "deconv"\nparams = "110.7K"\nmacs = "0.01"\nunit = "GFLOPs"\n'
    )
    assert main(["reproduce", written(tmp_path, text), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["table"] == "own"
    assert content["operators"] == [{"operator": "nearest", "params": 0, "macs": 3 * 64 * 32 * 4, "reason": None}]
    assert [(cell["quantity"], cell["verdict"]) for cell in content["cells"]] == [
        ("params", "truncated"),
        ("macs", "agrees"),
    ]
    assert content["cells"][0]["recomputed"] == 3 * 36_928


def test_flop_doubles_work_and_nothing_else(capsys):
    def cells(convention):
        assert main(["reproduce", "segformer-b1", "--json", "--convention", convention]) == 0
        return {(c["operator"], c["quantity"]): c for c in json.loads(capsys.readouterr().out)["cells"]}

    once, twice = cells("mac"), cells("flop")
    for key, cell in once.items():
        factor = 2 if key[1] == "macs" else 1
        assert twice[key]["recomputed"] == factor * cell["recomputed"]
        assert twice[key]["published"] == pytest.approx(factor * cell["published"])
        assert twice[key]["verdict"] == cell["verdict"]


def test_the_table_says_what_was_published_and_what_is_recomputed_on_one_line_a_cell(capsys):
    assert main(["reproduce", "segformer-b1"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "IndexNet GMACs 30.65 30.6465 agrees fade" in lines
    assert any(line.startswith("Deconv GMACs 34.4 8.607 known misprint") for line in lines)
    assert "DySample-S+ params 12.3K 12.288K agrees dysample" in lines
    assert "params, unless said otherwise below: all parameters" in lines
    assert "IndexNet, params and GMACs: HIN, nonlinear, with context" in lines
    assert "DySample-S+, params: weights only, without biases" in lines
    assert "SAPA-B mIoU [%] 43.20 sapa" in lines
    assert main(["reproduce", "a2u-matting", "--convention", "flop"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "CARAFE GMACs 6.00 12.00 12.0046 agrees fade" in lines
    assert "GMACs, unless said otherwise below: 10⁹ multiply-adds" in lines


def test_what_is_so_of_most_cells_is_said_once_and_of_none_that_lack_it(capsys):
    assert main(["reproduce", "faster-rcnn"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "params, unless said otherwise below: 46.80M and the upsamplers; all parameters" in lines
    assert "LDA-AQU, params: 46.80M and the upsamplers; without bias_table" in lines
    assert "SAPA-D, params: all parameters" in lines
    assert not [line for line in lines if line.startswith("FADE, params")]
    assert "AP of SAPA-D 40.6, FreqFusion, resample groups 8 41.0: ResNet-101" in lines


def test_rows_are_called_as_they_were_printed_and_two_of_one_name_are_told_apart(capsys):
    assert main(["reproduce", "a2u-matting"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "A2U, up and down GMACs 0.66 0.6604 agrees fade" in lines
    assert "A2U, up and down, params: without GroupNorm" in lines
    assert "A2U, up only params 0.02M 0.0217M agrees sapa" in lines
    assert not [line for line in lines if line.startswith("A2U, up only, params")]  # its name says it
    assert "A2U, unshared SAD 31.87 a2u" in lines
    typed = next(line for line in lines if line.startswith("typed: "))
    assert "; A2U, up and down as a2u:twin=true; A2U, up only as a2u; " in typed


@pytest.mark.parametrize("name", published.names())
def test_no_table_is_wider_than_a_terminal(name, capsys):
    assert main(["reproduce", name]) == 0
    for block in capsys.readouterr().out.split("\n\n"):
        rule = next(line for line in block.splitlines() if set(line) == {"─"})
        assert len(rule) <= 80 or "counted in the whole network" in block  # whose one column of prose is folded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no sites"),
        ("[[site]]\nchannels = 64\n", "has no height"),
        (SITE + "chanels = 3\n", "Did you mean 'channels'"),
        (SITE + "count = 0\n", "count = 0. Allowed: an integer from 1"),
        (SITE + "count = true\n", "count = True. Allowed: an integer"),
        (SITE + "scale = 2.0\n", "scale = 2.0. Allowed: an integer"),
        ("site = 3\n", "site = 3. Allowed: a list"),
        ("site = [3]\n", "must be tables"),
        ('operators = "a2u"\n' + SITE, "operators = 'a2u'. Allowed: a list"),
        ("operators = [3]\n" + SITE, "Allowed: a list of texts"),
        ('operators = ["a2v"]\n' + SITE, "no operator 'a2v'"),
        ('operators = ["a2u:rnk=2"]\n' + SITE, "no option 'rnk'"),
        (SITE + '[[cell]]\noperator = "a2u"\n', "has nothing printed"),
        (SITE + '[[cell]]\nparams = "3K"\n', "has no operator"),
        (SITE + '[[cell]]\noperator = "a2u"\nparams = 3\n', "params = 3. Allowed: a text"),
        (SITE + '[[cell]]\noperator = "a2u"\nparams = "three"\n', "cannot read the printed number 'three'"),
        (SITE + '[[cell]]\noperator = "a2u"\nmacs = "3M"\n', "Allowed: digits alone"),
        (SITE + '[[cell]]\noperator = "a2u"\nmacs = "3"\nunit = "GMAC"\n', "Did you mean 'GMACs'"),
        (SITE + '[[cell]]\noperator = "a2u"\nmacs = "3"\nsource = "us"\n', "unknown source 'us'"),
        (
            SITE + WHOLE + 'whole = { network = "unet", height = 16, width = 16 }\n',
            "unknown network 'unet'",
        ),
        (
            SITE + WHOLE + 'whole = { network = "matting-unet", height = 20, width = 16 }\n',
            "height = 20. Allowed: a mul",
        ),
        (
            SITE + WHOLE + 'whole = { network = "matting-unet", height = 16, width = 0 }\n',
            "width = 0. Allowed: a multiple",
        ),
        (SITE + WHOLE + 'whole = { network = "matting-unet", height = 16 }\n', "has no width"),
        (SITE + WHOLE + "whole = 3\n", "whole = 3. Allowed: a table"),
        (SITE + '[[cell]]\noperator = "a2u"\nmacs = "3"\nmisprint = { why = "so" }\n', "needs one claim"),
        ("[[site]\n", "not sound TOML"),
    ],
)
def test_a_table_that_is_not_sound_is_one_line_of_wrong_usage(text, said, tmp_path, capsys):
    assert main(["reproduce", written(tmp_path, text)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["segformer-b2"], "Did you mean 'segformer-b1'"),
        (["nowhere.toml"], "nowhere.toml"),
        (["segformer-b1", "--convention", "macs"], "Did you mean 'mac'"),
        ([], "TABLE"),
    ],
)
def test_a_table_that_is_not_there_is_one_line_of_wrong_usage(arguments, said, capsys):
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
