"""BibTeX of the operators' papers, and the keys by which a table cites them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from string import ascii_lowercase

from a2u_bench.paper_names import Known, Publication, first_family
from a2u_bench.sanitize import plain

PROCEEDINGS = ("CVPR", "ICCV", "ECCV", "NeurIPS", "ICLR", "ICML", "ACM MM", "AAAI", "BMVC", "WACV")
PUBLISHERS = ("Pearson",)
PREPRINT = "arXiv"
_VOLUME = re.compile(r"(?P<journal>.+?)\s+(?P<volume>\d+)(?:\((?P<number>\d+)\))?")
_MARKS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030c": "v", "\u0327": "c"}
_NAMED = {  # by a backslash alone a brace would still count for BibTeX
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
_KEYS = re.compile(r"(?i)@\s*(?!comment)\w+\s*[{(]\s*([^\s,{}()=]+)\s*,")
_UNSAID = ("a", "an", "the", "on", "of", "for", "in", "to")


def keys(known: Mapping[str, Known]) -> dict[str, str]:
    """The key of each operator that has a paper: `dai2021learning`. Different papers have different keys, and those of
    ours are the same in every table, since a person's own give way."""
    taken: dict[str, Publication] = {}
    found = {}
    for name, one in sorted(known.items(), key=lambda entry: entry[1].own):
        if one.paper:
            ends = (f"{_key(one.paper)}{end}" for end in ("", *ascii_lowercase))
            found[name] = next(key for key in ends if taken.setdefault(key, one.paper) == one.paper)
    return found


def bibliography(cited: Mapping[str, str], known: Mapping[str, Known], there: str = "") -> str:
    """The entries of these operators, by key, each once, but those whose keys the text of a file has `there`."""
    papers = {key: known[name].paper for name, key in cited.items()}
    present = {key.lower() for key in _KEYS.findall(there)}  # BibTeX takes Dai2021 and dai2021 for one
    wanted = [(key, paper) for key, paper in sorted(papers.items()) if paper and key not in present]
    return "\n".join(_entry(key, paper) for key, paper in wanted)


def _entry(key: str, paper: Publication) -> str:
    kind, where = _where(paper.venue)
    fields = {
        "author": " and ".join(_tex(name.strip()) for name in paper.authors.split(",") if name.strip()),
        "title": f"{{{_tex(paper.title)}}}",  # as it is written, in whatever style
        **where,
        "year": str(paper.year),
        **({"eprint": _tex(paper.arxiv), "archivePrefix": "arXiv"} if paper.arxiv else {}),
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}\n"


def _where(venue: str) -> tuple[str, dict[str, str]]:
    """The kind of entry that a venue asks for, and how the venue is written in it."""
    if venue in PROCEEDINGS:
        return "inproceedings", {"booktitle": _tex(venue)}
    if venue in PUBLISHERS:
        return "book", {"publisher": _tex(venue)}
    if venue == PREPRINT:
        return "misc", {"howpublished": "arXiv preprint"}
    found = _VOLUME.fullmatch(venue)
    parts = found.groupdict() if found else {"journal": venue}
    return "article", {name: _tex(value) for name, value in parts.items() if value}


def _key(paper: Publication) -> str:
    words = [word for word in re.split(r"\W+", _ascii(paper.title).lower()) if word and word not in _UNSAID]
    author = re.sub(r"\W", "", _ascii(first_family(paper.authors)).lower())
    return f"{author}{paper.year}{words[0] if words else ''}"


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _tex(text: str) -> str:
    """Text as BibTeX and LaTeX read it: accents as commands, specials behind a backslash or by their names."""
    made: list[str] = []
    for letter in unicodedata.normalize("NFD", plain(text)):
        if letter in _MARKS and made:
            made[-1] = f"{{\\{_MARKS[letter]}{{{made[-1]}}}}}"
        else:
            made.append(_NAMED.get(letter) or (f"\\{letter}" if letter in "&%$#_" else letter))
    return "".join(made)
