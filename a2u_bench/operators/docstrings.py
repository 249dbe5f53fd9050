"""What an operator's docstring says of it and of its options."""

from __future__ import annotations

import inspect
import re

from a2u_bench.sanitize import plain

_ARGS = re.compile(r"^Args:\n((?:[ \t].*\n?|\n(?=[ \t]))*)", re.MULTILINE)


def about(operator: type) -> str:
    """The first paragraph of a class's docstring on one line; "" without one."""
    first = inspect.cleandoc(operator.__doc__ or "").partition("\n\n")[0]
    return "" if _ARGS.match(first) else _words(first)


def of_options(operator: type) -> dict[str, str]:
    """What the section `Args:` of a class's docstring says of each name; names that share an entry have one text."""
    section = _ARGS.search(inspect.cleandoc(operator.__doc__ or ""))
    found: dict[str, str] = {}
    for entry in re.split(r"^(?=\S)", inspect.cleandoc(f"\n{section[1]}"), flags=re.MULTILINE) if section else ():
        names, colon, words = entry.partition(":")
        if colon:
            found |= dict.fromkeys(re.findall(r"\w+", re.sub(r"\(.*?\)", "", names)), _words(words))
    return found


def _words(text: str) -> str:
    return " ".join(plain(text.replace("`", "").replace("\n", " ")).split())
