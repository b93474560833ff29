"""Divide work into shards, each to be done, watched and retried separately."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Shard(Generic[Item]):
    """Consecutive items: shard `number`, from 1, of `count`, after `before` items of `total`."""

    number: int
    count: int
    items: tuple[Item, ...]
    before: int
    total: int


def shards_of(items: Sequence[Item], size: int) -> tuple[Shard[Item], ...]:
    """Divide items into shards of `size`; the last may be smaller."""
    starts = range(0, len(items), size)
    return tuple(
        Shard(number, len(starts), tuple(items[start : start + size]), start, len(items))
        for number, start in enumerate(starts, start=1)
    )
