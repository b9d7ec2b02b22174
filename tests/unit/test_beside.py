"""Work beside gives its result and its errors to its user, tells how far it is, and ends with it."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from understudy.beside import Beside
from understudy.progress import Progress


def running() -> bool:
    return any(thread.name == "beside" for thread in threading.enumerate())


def test_it_runs_while_its_user_works():
    begun, free = threading.Event(), threading.Event()

    def work(progress: Progress) -> str:
        begun.set()
        assert free.wait(10)
        return "made"

    with Beside(work) as beside:
        assert begun.wait(10)
        beside.check()
        free.set()
        assert beside.result() == "made"
    assert not running()


def test_without_a_thread_it_runs_when_it_is_asked_for():
    where: list[threading.Thread] = []
    with Beside(lambda progress: where.append(threading.current_thread()), thread=False) as beside:
        beside.check()
        assert not where
        beside.result()
    assert where == [threading.current_thread()]


@pytest.mark.parametrize("thread", [True, False])
def test_its_progress_is_told_in_its_users_thread(thread):
    told: list[tuple[str, int, int, threading.Thread]] = []

    def work(progress: Progress) -> None:
        progress("rig", 4, 4)

    with Beside(work, thread=thread) as beside:
        beside.result(lambda *step: told.append((*step, threading.current_thread())))
    assert told == [("rig", 4, 4, threading.current_thread())]


def test_its_error_can_be_met_before_its_result_is_asked_for():
    def work(progress: Progress) -> None:
        raise LookupError("no character")

    def user() -> None:
        with Beside(work) as beside:
            while True:
                beside.check()

    with pytest.raises(LookupError, match="no character"):
        user()


@pytest.mark.parametrize("thread", [True, False])
def test_its_error_comes_out_of_its_result(thread):
    def work(progress: Progress) -> None:
        raise LookupError("no character")

    with pytest.raises(LookupError, match="no character"), Beside(work, thread=thread) as beside:
        beside.result()
    assert not running()


def test_an_error_of_its_user_ends_it():
    begun, never = threading.Event(), threading.Event()
    went_on: list[bool] = []

    def work(progress: Progress) -> None:
        begun.set()
        for _ in range(500):  # some seconds, which nobody waits for where its progress ends it
            progress("rig", 0, 1)
            never.wait(0.01)
        went_on.append(True)

    def user() -> None:
        with Beside(work):
            assert begun.wait(10)
            raise ValueError("no frames")

    with pytest.raises(ValueError, match="no frames"):
        user()
    assert not went_on
    assert not running()


def test_without_a_thread_it_runs_once():
    made: list[int] = []
    with Beside(lambda progress: made.append(1), thread=False) as beside:
        beside.result()
        beside.result()
    assert made == [1]


def test_a_failed_work_is_let_go():
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)

    def work(progress: Progress, held: Held) -> None:
        raise LookupError("no character")

    def user(held: Held) -> None:
        with Beside(lambda progress: work(progress, held)) as beside:
            beside.result()

    gc.disable()
    try:
        with pytest.raises(LookupError):
            user(held)
        del held
        assert gone() is None
    finally:
        gc.enable()
