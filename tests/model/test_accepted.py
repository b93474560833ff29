"""Accepted pairs by threshold, against counting them one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.accepted import THRESHOLDS, accepted_pairs
from model.distances import Pairs

Drawn = list[tuple[float, bool]]
DISTANCES = st.floats(0, 4, width=32)


def pairs_of(drawn: Drawn) -> Pairs:
    rows = 2 * np.arange(len(drawn), dtype=np.int32)
    distance, same = zip(*drawn, strict=True)
    return Pairs(rows, rows + 1, np.array(distance, np.float32), np.array(same))


@given(
    st.lists(st.tuples(DISTANCES, st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(-1, 5), max_size=3),
)
def test_every_threshold_counts_the_pairs_up_to_it(drawn: Drawn, also: list[float]) -> None:
    found = accepted_pairs(pairs_of(drawn), also)
    assert set(also) <= set(found.threshold.tolist())
    assert (np.diff(found.threshold) > 0).all()
    for threshold, same, different in zip(
        found.threshold.tolist(), found.same, found.different, strict=True
    ):
        assert same == sum(is_same and each <= threshold for each, is_same in drawn)
        assert different == sum(not is_same and each <= threshold for each, is_same in drawn)
    assert found.same[-1] + found.different[-1] == len(drawn)


def test_the_thresholds_span_all_distances_evenly() -> None:
    found = accepted_pairs(pairs_of([(1.0, True), (3.0, False)]))
    assert found.threshold.tolist() == np.linspace(1, 3, THRESHOLDS).tolist()
