"""Progress of long loops: silent unless someone listens."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Listener: TypeAlias = Callable[[str, int, int | None], None]  # label, done, total (None: unknown)

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def track(items: Iterable[T], label: str, total: int | None = None, done: int = 0) -> Iterator[T]:
    """Pass items through and tell the listener, if there is one, how far it is.

    Args:
        items: what the loop runs over.
        label: what is being done, in a word or two.
        total: how many there are, if `len(items)` does not tell.
        done: how many were done in an earlier, stopped run.

    >>> with listening(lambda label, done, total: print(label, done, total)):
    ...     _ = list(track("ab", "letters"))
    letters 0 2
    letters 1 2
    letters 2 2
    """
    listener = _listener.get()
    if listener is None:
        yield from items
        return
    length = getattr(items, "__len__", None)
    total = length() + done if total is None and length is not None else total
    listener(label, done, total)
    for count, item in enumerate(items, start=done + 1):
        yield item
        listener(label, count, total)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Hear of every loop that runs inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
