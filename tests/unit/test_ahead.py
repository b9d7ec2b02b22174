"""Work ahead keeps order and memory, passes errors on, and ends with its consumer."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Iterator

import pytest

from understudy.media.ahead import ahead


class Producer:
    """Counts up; remembers how far it was asked and whether it was closed."""

    def __init__(self, stop: int, fail_at: int | None = None) -> None:
        self.made = 0
        self.closed = False
        self._stop, self._fail_at = stop, fail_at

    def items(self) -> Iterator[int]:
        try:
            for i in range(self._stop):
                if i == self._fail_at:
                    raise LookupError(f"item {i}")
                self.made += 1
                yield i
        finally:
            self.closed = True


def threads_ahead() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "ahead"]


def wait_until_still(producer: Producer) -> None:
    """Until the producer has stopped for a while of its own accord."""
    before = -1
    while before != producer.made:
        before = producer.made
        time.sleep(0.05)


def test_items_come_in_order() -> None:
    producer = Producer(500)
    assert list(ahead(producer.items())) == list(range(500))
    assert producer.closed
    assert not threads_ahead()


def test_nothing_is_still_an_iterator() -> None:
    assert list(ahead(iter(()))) == []


def test_none_and_falsehoods_are_items_too() -> None:
    assert list(ahead(iter([None, 0, "", False]))) == [None, 0, "", False]


def test_an_exception_comes_out_after_the_items_before_it() -> None:
    producer = Producer(10, fail_at=4)
    items = ahead(producer.items())
    seen = [next(items) for _ in range(4)]
    with pytest.raises(LookupError, match="item 4"):
        next(items)
    assert seen == [0, 1, 2, 3]
    assert not threads_ahead()


def test_even_an_exit_comes_out() -> None:
    def leaves() -> Iterator[int]:
        yield 1
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        list(ahead(leaves()))
    assert caught.value.code == 3


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_no_more_than_the_depth_waits(depth: int) -> None:
    producer = Producer(1000)
    items = ahead(producer.items(), depth=depth)
    for taken in range(1, 4):
        next(items)
        wait_until_still(producer)
        # Taken, waiting, and one in the hand of the thread.
        assert producer.made <= taken + depth + 1
    items.close()  # type: ignore[attr-defined]


def test_a_consumer_that_stops_early_closes_the_producer() -> None:
    producer = Producer(1000)
    items = ahead(producer.items())
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert producer.closed
    assert producer.made < 10
    assert not threads_ahead()


def test_an_error_of_the_consumer_closes_the_producer() -> None:
    producer = Producer(1000)

    def consume() -> None:
        for item in ahead(producer.items()):
            if item == 2:
                raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        consume()
    gc.collect()
    assert producer.closed
    assert not threads_ahead()


def test_the_producer_runs_in_one_thread_that_is_not_the_consumers() -> None:
    seen: set[int] = set()

    def who() -> Iterator[int]:
        for i in range(20):
            seen.add(threading.get_ident())
            yield i

    list(ahead(who()))
    assert len(seen) == 1
    assert threading.get_ident() not in seen


def test_a_source_that_fails_to_close_is_told_of_and_hangs_nobody() -> None:
    class Stuck:
        def __iter__(self) -> Stuck:
            return self

        def __next__(self) -> int:
            raise StopIteration

        def close(self) -> None:
            raise LookupError("cannot close")

    with pytest.raises(LookupError, match="cannot close"):
        list(ahead(Stuck()))
