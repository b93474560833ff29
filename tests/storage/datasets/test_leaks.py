"""Copies among the original files."""

from hypothesis import given
from hypothesis import strategies as st

from storage.datasets.leaks import Original, leak_reasons


def test_same_bytes_under_two_artists_refuse_both() -> None:
    reasons = leak_reasons(
        [
            Original("a.jpg", "Goya", "train", "00"),
            Original("b.jpg", "Degas", "test", "00"),
            Original("c.jpg", "Goya", "train", "11"),
        ]
    )
    assert reasons == {
        "a.jpg": "same bytes as b.jpg by Degas: a leak between artists",
        "b.jpg": "same bytes as a.jpg by Goya: a leak between artists",
    }


def test_same_bytes_in_two_splits_refuse_both() -> None:
    reasons = leak_reasons(
        [Original("a.jpg", "Goya", "train", "00"), Original("b.jpg", "Goya", "test", "00")]
    )
    assert reasons == {
        "a.jpg": "same bytes as b.jpg in test: a leak between splits",
        "b.jpg": "same bytes as a.jpg in train: a leak between splits",
    }


def test_the_first_copy_by_one_artist_in_one_split_is_used() -> None:
    reasons = leak_reasons([Original(name, "Goya", "train", "00") for name in ("c", "a", "b")])
    assert reasons == {"a": "same bytes as c: a duplicate", "b": "same bytes as c: a duplicate"}


def test_of_near_duplicates_by_one_artist_the_largest_is_used() -> None:
    images = [
        Original(name, "Goya", "train", sha256, n_pixels)
        for name, sha256, n_pixels in (("a", "0", 10), ("b", "1", 40), ("c", "2", 20))
    ]
    assert leak_reasons(images, [("a", "b"), ("b", "c")]) == {
        "a": "same picture as b: a duplicate",
        "c": "same picture as b: a duplicate",
    }
    assert leak_reasons(images, [("a", "c")]) == {"a": "same picture as c: a duplicate"}
    assert leak_reasons(images) == {}


def test_near_duplicates_under_two_artists_refuse_both() -> None:
    images = [Original("a", "Goya", "train", "0", 9), Original("b", "Hals", "train", "1", 1)]
    assert leak_reasons(images, [("a", "b")]) == {
        "a": "same picture as b by Hals: a leak between artists",
        "b": "same picture as a by Goya: a leak between artists",
    }


originals = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("XY"), st.sampled_from("0123"))
).map(
    lambda rows: [
        Original(f"{row}.jpg", artist, split, sha256)
        for row, (artist, split, sha256) in enumerate(rows)
    ]
)


@given(originals)
def test_used_images_are_all_different_and_uncontested(
    given_originals: list[Original],
) -> None:
    refused = leak_reasons(given_originals)
    kept = [original for original in given_originals if original.name not in refused]
    assert len({original.sha256 for original in kept}) == len(kept)
    for original in given_originals:
        twins = [other for other in given_originals if other.sha256 == original.sha256]
        contested = len({(twin.artist, twin.split) for twin in twins}) > 1
        should_stay = not contested and original is twins[0]
        assert (original.name not in refused) == should_stay
