"""Finds by bisection which group of edits makes a patch fail or slow down; a run is a function.

The groups are added in the order of the patch. With none of them the run is well, with all of them
it is not; halving what lies between finds the first group with which it is not: log2(n) runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.patching.edit_groups import EditGroup

IsBad = Callable[[Sequence[EditGroup]], bool | None]
"""Whether the run with these groups fails or is slower; None: the budget is used up."""


def find_guilty(groups: Sequence[EditGroup], is_bad: IsBad) -> EditGroup | None:
    """The first group with which the run is bad.

    Args:
        groups: in the order in which they are added; all of them together are known to be bad.
        is_bad: runs the first few of them.

    Returns:
        The group, or None where the budget ended before it was found.
    """
    well, bad = 0, len(groups)
    while bad - well > 1:
        middle = (well + bad) // 2
        found = is_bad(groups[:middle])
        if found is None:
            return None
        well, bad = (well, middle) if found else (middle, bad)
    return groups[bad - 1] if groups else None
