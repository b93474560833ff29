"""Random draws that come out alike on every machine, with every version of every library."""

import hashlib
from collections.abc import Iterable


def draw_rank(seed: int, purpose: str, name: str) -> str:
    """Give `name` its random place for one seed and one purpose.

    A hash ranks the names instead of a library's generator, because such streams may change with
    the library's version, and because a name's rank depends on nothing but itself: neither on the
    order of the names nor on which others there are. `purpose` keeps draws of one seed apart.
    """
    return hashlib.sha256(f"{seed}:{purpose}:{name}".encode()).hexdigest()


def draw_names(names: Iterable[str], count: int, *, seed: int, purpose: str) -> list[str]:
    """Draw `count` of the distinct `names` without replacement, or all where there are fewer."""
    return sorted(set(names), key=lambda name: draw_rank(seed, purpose, name))[:count]
