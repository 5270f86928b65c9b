"""What the command line says, how it shows progress, and how it ends.

Results go to standard output; progress, warnings and errors to standard error.
"""

import json
import math
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rather.memory import keep_memory
from rather.progress import listening

OK, ERROR, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
PATIENCE = 1.0  # seconds before a bar is worth showing

debug = ContextVar("debug", default=False)  # whether errors show their traceback
err = Console(stderr=True, highlight=False)
out = Console(highlight=False)


def say(text: str) -> None:
    """A line for people, which scripts that read the results never see."""
    err.print(text, markup=False, soft_wrap=True)


def emit(found: Any) -> None:
    """A result for programs; JSON knows no NaN, which becomes null."""
    sys.stdout.write(json.dumps(finite(found), indent=1, allow_nan=False) + "\n")


def finite(value: Any) -> Any:
    """The same with None for numbers that are none, at any depth."""
    if isinstance(value, dict):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def named(failed: list[tuple[str, str]]) -> int:
    """Name the files that could not be read, and answer with the exit code that this makes."""
    for path, reason in failed:
        say(f"rather: {path}: {reason}")
    return SOME_FAILED if failed else OK


def doubted(doubtful: list[tuple[str, str]]) -> None:
    """One line on the photos that are likely too dark, or not all, if there are any."""
    for path, reason in doubtful[:1]:
        more = f"; so do {len(doubtful) - 1} more" if len(doubtful) > 1 else ""
        say(f"rather: {path}: {reason}{more}")


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command raises into one line and an exit code; with --debug, into a traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        keep_memory()
        try:
            with _warned():
                code = command(*args, **options)
            sys.stdout.flush()
        except KeyboardInterrupt as stop:
            say(f"rather: interrupted{stop}")
            code = INTERRUPTED
        except BrokenPipeError:  # the reader has seen enough, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = OK
        except (ValueError, OSError, ImportError) as error:
            if debug.get():
                raise
            say(f"rather: {_line(error)}")
            code = ERROR
        except (RuntimeError, TypeError, LookupError, AttributeError) as error:  # not foreseen
            if debug.get():
                raise
            kind = type(error).__name__
            say(f"rather: {kind}: {_line(error)} (`rather --debug ...` shows where)")
            code = ERROR
        raise typer.Exit(code)

    return run


@contextmanager
def _warned() -> Generator[None]:
    """Say warnings as lines for people."""
    plain = warnings.showwarning

    def heard(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category is UserWarning:
            say(f"rather: {message}")
        else:
            plain(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.showwarning = heard
        yield


@contextmanager
def bar() -> Generator[None]:
    """Show every tracked loop inside the block that takes more than a second."""
    begun, tasks = time.monotonic(), {}
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    shown = Progress(
        TextColumn("{task.description}"),
        *columns,
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )

    def hear(label: str, done: int, total: int | None) -> None:
        if label not in tasks:
            tasks[label] = shown.add_task(label, total=total)
        if done == 0:
            shown.reset(tasks[label], total=total)
        shown.update(tasks[label], completed=done, total=total)
        if time.monotonic() - begun > PATIENCE:
            shown.start()

    try:
        with listening(hear):
            yield
    finally:
        shown.stop()


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
