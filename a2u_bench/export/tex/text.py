"""Text as LaTeX prints it with the fonts that every document has: nothing in it is a command."""

from __future__ import annotations

import re

from a2u_bench.sanitize import plain

PREFIXES = {
    "p": "pico",
    "n": "nano",
    "µ": "micro",
    "m": "milli",
    "k": "kilo",
    "M": "mega",
    "G": "giga",
    "T": "tera",
    "P": "peta",
}
UNITS = {"s": "second", "B": "byte", "dB": "decibel"}

APART = "\0"  # in no plain text
SPECIAL = {
    APART: "{}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{''}",
    "`": r"\textasciigrave{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "µ": r"$\mu$",
    "τ": r"$\tau$",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "–": "--",
    "…": r"\dots{}",
}
ACCENTED = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŒ")
"""Letters that every encoding of fonts has; others are given by their number, since LaTeX would stop at them."""

BREAKS = re.compile(r"(?<=[,:;/=_])(?=\S)")
"""Where a name, a list or a command may go on in the next line, beside its blanks."""

_PLAIN = re.compile("[0-9A-Za-z ,.:;=/()-]*")


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, with the fonts that every document has."""
    apart = re.sub("-(?=-)", f"-{APART}", plain(text))  # else two of them, as before a flag, become a dash
    return apart if _PLAIN.fullmatch(apart) else "".join(map(_letter, apart))


def foldable(text: str) -> str:
    """Text that may go on in the next line after a comma, a colon or a slash, even where no blank follows."""
    return r"\allowbreak{}".join(escape(part) for part in BREAKS.split(text))


def start(text: str) -> str:
    """A cell or a line that LaTeX does not take for an argument of the line end before it."""
    return f"{{}}{text}" if text.startswith(("[", "*")) else text


def unit(text: str) -> str:
    """A unit as siunitx has it, where it is one of ours."""
    name = next((one for one in UNITS if text.endswith(one) and text.removesuffix(one) in ("", *PREFIXES)), "")
    if not name:
        return escape(text)
    prefix = text.removesuffix(name)
    return f"\\unit{{{f'{chr(92)}{PREFIXES[prefix]}' if prefix else ''}\\{UNITS[name]}}}"


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    return letter if letter.isascii() or letter in ACCENTED else rf"\texttt{{U+{ord(letter):04X}}}"
