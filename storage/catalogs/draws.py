"""Random draws that are the same on every machine and with every library version."""

import hashlib
from collections.abc import Iterable


def draw_rank(seed: int, purpose: str, name: str) -> str:
    """Rank `name` at random, for one seed and one purpose.

    A hash is used because random generators may change with their library, and because it depends
    neither on the order of the names nor on the others. `purpose` keeps draws of one seed apart.
    """
    return hashlib.sha256(f"{seed}:{purpose}:{name}".encode()).hexdigest()


def draw_names(names: Iterable[str], count: int, *, seed: int, purpose: str) -> list[str]:
    """Draw `count` of the distinct `names` without replacement, or all if there are fewer."""
    return sorted(set(names), key=lambda name: draw_rank(seed, purpose, name))[:count]
