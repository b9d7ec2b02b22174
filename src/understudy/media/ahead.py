"""Work ahead: an iterator run in a thread of its own, a few items before its consumer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_END: Final = object()


def ahead(
    items: Iterator[T], depth: int = 3, stop: Callable[[], None] = lambda: None
) -> Generator[T, None, None]:
    """The same items in order; at most ``depth`` wait at any time, so memory stays flat.

    Decoding, drawing and encoding release the interpreter, so two of them use two cores. An exception of ``items``
    comes out here; when the consumer stops, the thread does, as soon as the item is there that it waits for. ``stop``
    is called before that: it may have the item not come.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as error:  # handed over to the consumer, whatever it is
            failure.append(error)
        try:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            failure.append(error)
        finally:
            put(_END)

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            yield item  # type: ignore[misc]  # only items of T and the end are put
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        stop()
        thread.join()
