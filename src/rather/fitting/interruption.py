"""Interruptions that wait until a step is whole, so that what it made can be saved."""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred(wait: bool = True) -> Generator[Callable[[], None]]:
    """Hold an interruption back until the function that is handed out is called.

    A second one is not held back. Only signals that would raise `KeyboardInterrupt` are held, and
    only in the main thread, as no other may; their handlers are put back when the block ends.

    Args:
        wait: False holds nothing back.
    """
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if came:
            signal.default_int_handler(number, frame)
        came.append(number)

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    with _handled(hold, SIGNALS if wait else ()):
        yield check
    check()


@contextmanager
def _handled(
    hold: Callable[[int, FrameType | None], None], signals: tuple[signal.Signals, ...]
) -> Generator[None]:
    own = threading.current_thread() is threading.main_thread()
    usual = signal.default_int_handler
    held = [one for one in signals if own and signal.getsignal(one) is usual]
    for one in held:
        signal.signal(one, hold)
    try:
        yield
    finally:
        for one in held:
            signal.signal(one, usual)
