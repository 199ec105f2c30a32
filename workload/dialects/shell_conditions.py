"""Whether a test of a shell script holds, where its text alone settles it; nothing is run."""

from __future__ import annotations

import re

from workload.dialects.shell_values import Text, is_outside, whole
from workload.splice.shell_text import Word


def condition(texts: list[Text], words: list[Word]) -> bool | None:
    """Whether a test holds; None where the text does not settle it.

    A variable that the script does not set counts as empty in `-z`: so a script gives its defaults.
    """
    if words and words[-1].plain in ("]", "]]"):
        texts, words = texts[:-1], words[:-1]
    if len(words) == 2 and words[0].plain in ("-z", "-n"):
        text = whole(texts[1])
        if text is not None:
            return (text == "") == (words[0].plain == "-z")
        return True if words[0].plain == "-z" and is_outside(texts[1]) else None
    if len(words) == 3:
        left, sign, right = whole(texts[0]), words[1].plain, whole(texts[2])
        if left is None and right == "" and is_outside(texts[0]):
            return {"=": True, "==": True}.get(sign or "")
        if left is None or right is None:
            return None
        return _compare(left, sign, right)
    return None


def takes_arguments(words: list[Word]) -> bool:
    """Whether a loop goes on while the script has arguments: without any it does nothing."""
    names = {part.name for word in words for part in word.parts if part.kind == "variable"}
    return words[0].plain == "getopts" or bool(names & {"1", "#"})


def _compare(left: str, sign: str | None, right: str) -> bool | None:
    if sign in ("=", "==") and not re.search(r"[*?\[]", right):
        return left == right
    if sign == "!=" and not re.search(r"[*?\[]", right):
        return left != right
    if left.lstrip("-").isdigit() and right.lstrip("-").isdigit():
        one, two = int(left), int(right)
        return {"-eq": one == two, "-ne": one != two, "-gt": one > two, "-ge": one >= two,
                "-lt": one < two, "-le": one <= two}.get(sign or "")  # fmt: skip
    return None
