import hashlib
from collections import Counter

from storage.catalogs.draws import draw_names, draw_rank


def test_a_rank_is_the_hash_of_seed_purpose_and_name() -> None:
    assert draw_rank(7, "test", "Zoë") == hashlib.sha256("7:test:Zoë".encode()).hexdigest()


def test_a_known_draw_never_changes() -> None:
    names = ["Abel", "Bea", "Cyd", "Dov", "Eve"]
    assert draw_names(names, 2, seed=0, purpose="validation") == ["Bea", "Cyd"]  # by sha256sum


def test_order_and_repetition_of_the_names_do_not_matter() -> None:
    names = [str(i) for i in range(50)]
    drawn = draw_names(names, 10, seed=1, purpose="test")
    assert draw_names([*reversed(names), *names], 10, seed=1, purpose="test") == drawn


def test_seed_and_purpose_each_change_the_draw() -> None:
    names = [str(i) for i in range(50)]
    drawn = {
        tuple(draw_names(names, 10, seed=seed, purpose=purpose))
        for seed in (0, 1)
        for purpose in ("validation", "test")
    }
    assert len(drawn) == 4


def test_fewer_names_than_asked_for_are_all_drawn() -> None:
    assert sorted(draw_names(["b", "a"], 5, seed=0, purpose="test")) == ["a", "b"]


def test_every_name_has_the_same_chance() -> None:
    names = [f"artist {i}" for i in range(10)]
    drawn = Counter(
        name for seed in range(1000) for name in draw_names(names, 3, seed=seed, purpose="test")
    )
    assert all(240 <= drawn[name] <= 360 for name in names)  # 300 expected, deviation 14.5
