"""Networks load without a word on stderr, and stderr comes back whoever leaves last."""

import os
import sys
import threading

import pytest

from understudy.tracking.network import Quiet


def test_stderr_comes_back_when_the_last_has_left(capfd: pytest.CaptureFixture[str]) -> None:
    quiet = Quiet()
    entered, leave = threading.Event(), threading.Event()

    def load() -> None:
        with quiet:
            entered.set()
            assert leave.wait(10)
            os.write(2, b"greeting of the thread")

    thread = threading.Thread(target=load)
    with quiet:
        thread.start()
        assert entered.wait(10)
        os.write(2, b"greeting")
    leave.set()
    thread.join(10)
    os.write(2, b"said")
    assert capfd.readouterr().err == "said"


def refuse(*_: object) -> int:
    raise OSError("bad file descriptor, or too many open files")


@pytest.mark.parametrize(
    ("place", "name", "value"), [(sys, "__stderr__", None), (os, "dup", refuse), (os, "open", refuse)]
)
def test_a_stderr_that_is_closed_or_cannot_be_sent_away_is_left_alone(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: object,
    name: str,
    value: object,
) -> None:
    quiet = Quiet()
    unused = os.dup(2)
    os.close(unused)
    with monkeypatch.context() as limits:
        limits.setattr(place, name, value)
        with quiet:
            os.write(2, b"greeting")
    assert capfd.readouterr().err == "greeting"
    # No descriptor is lost.
    again = os.dup(2)
    os.close(again)
    assert again == unused


def test_it_can_be_entered_again(capfd: pytest.CaptureFixture[str]) -> None:
    quiet = Quiet()
    for word in (b"one", b"two"):
        with quiet:
            os.write(2, b"greeting")
        os.write(2, word)
    assert capfd.readouterr().err == "onetwo"
