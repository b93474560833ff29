"""Shards contain every item once and in order."""

from hypothesis import given
from hypothesis import strategies as st

from storage.shards import shards_of


@given(items=st.lists(st.integers()), size=st.integers(1, 12))
def test_shards_hold_every_item_once_and_in_order(items: list[int], size: int) -> None:
    shards = shards_of(items, size)
    assert [item for shard in shards for item in shard.items] == items
    assert [shard.number for shard in shards] == list(range(1, -(-len(items) // size) + 1))
    for shard in shards:
        assert (shard.count, shard.total) == (len(shards), len(items))
        assert shard.before == (shard.number - 1) * size
        assert 0 < len(shard.items) <= size
