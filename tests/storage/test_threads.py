"""A function applied to many items in threads."""

import threading
import time

import pytest

from storage.threads import WAITING, available_cores, in_threads


def quiet(done: int, total: int) -> None:
    """Ignore the progress."""


def test_results_keep_the_order_of_items() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.002 * (10 - number))
        return number * number

    assert in_threads(slow_first, range(10), quiet) == [n * n for n in range(10)]


def test_progress_counts_up_to_the_total_in_the_calling_thread() -> None:
    seen: list[tuple[int, int]] = []
    threads = set()

    def note(done: int, total: int) -> None:
        seen.append((done, total))
        threads.add(threading.get_ident())

    in_threads(str, [1, 2, 3], note)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert threads == {threading.get_ident()}


def test_all_cores_work_while_one_thread_waits() -> None:
    everybody = threading.Barrier(available_cores() + WAITING)
    # Each waits until all are there: with fewer threads this would time out.
    in_threads(lambda _: everybody.wait(timeout=10), range(available_cores() + WAITING), quiet)


def test_no_items_give_no_results() -> None:
    assert in_threads(str, [], quiet) == []


def test_after_an_error_items_that_have_not_started_are_dropped() -> None:
    begun: list[int] = []

    def fail_at_once(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"^\d+$"):
        in_threads(fail_at_once, range(1000), quiet)
    assert len(begun) < 20 * available_cores()


def test_an_error_in_progress_stops_the_work() -> None:
    begun: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(1000), interrupt)
    assert len(begun) < 20 * available_cores()
