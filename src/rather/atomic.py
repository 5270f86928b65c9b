"""Files and folders that are there as a whole, or not at all."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

UNFINISHED, TASK = ".unfinished", "rather-task.json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def fresh(folder: Path, force: bool = False, mark: str = "manifest.json") -> Generator[Path]:
    """Hand out a folder to write in, which becomes `folder` if nothing goes wrong.

    Args:
        folder: what it shall be called.
        force: take the place of an earlier folder of the kind; anything else is never replaced.
        mark: the file by which a folder of the kind is known.

    Raises:
        FileExistsError: something of that name is there already.
    """
    _check_free(folder, force, mark)
    folder = folder.resolve()  # where a link leads to
    partial, old = _aside(folder, "partial"), _aside(folder, "old")
    _made(partial, folder)
    try:
        yield partial
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if error.errno not in FULL:
            raise
        said = f"no room left for {folder}; free some, or write elsewhere"
        raise OSError(error.errno, said) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _into_place(partial, folder, old, force and (folder / mark).exists())


@contextmanager
def resumed(
    folder: Path, task: Mapping[str, Any], force: bool = False, mark: str = "manifest.json"
) -> Generator[Path]:
    """As `fresh`, but work that stops is kept beside `folder`, for the same task to go on with.

    What is kept stands in `<folder>.unfinished`, where `rather-task.json` says whose it is, which
    does not come into the result. Nothing is kept where nothing else had been written.

    Args:
        folder: what it shall be called.
        task: what is done, with everything that the result depends on, as JSON.
        force: take the place of an earlier folder, and of unfinished work of another task.
        mark: the file by which a folder of the kind is known.

    Raises:
        FileExistsError: something of that name is there already, or unfinished work of another
            task, or another run is at it.
    """
    _check_free(folder, force, mark)
    folder = folder.resolve()
    partial = folder.with_name(folder.name + UNFINISHED)
    with _alone(partial, folder):
        _begun(partial, folder, json.dumps(task, indent=1, sort_keys=True), force)
        try:
            yield partial
        except BaseException as error:
            said = _stopped(error, partial, folder)
            if said is None:
                raise
            raise said from error
        _into_place(partial, folder, _aside(folder, "old"), force and folder.exists())
        (folder / TASK).unlink()


def _check_free(folder: Path, force: bool, mark: str) -> None:
    if folder.exists() and not (force and (folder / mark).exists()):
        why = f"holds no {mark}, so it is not replaced" if force else "exists already"
        way = "move it away" if force else "replace it with --force (force=True)"
        raise FileExistsError(f"{folder} {why}; choose another name, or {way}")


@contextmanager
def _alone(partial: Path, folder: Path) -> Generator[None]:
    """Keep every other run out."""
    lock = FileLock(partial.with_name(f".{partial.name}.lock"), blocking=False)
    with _naming(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise FileExistsError(
                f"another run is at work in {partial}; wait for it, or choose another name"
            ) from None
    try:
        yield
    finally:
        with suppress(PermissionError):  # Windows keeps what is open
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _begun(partial: Path, folder: Path, task: str, force: bool) -> None:
    """Make the folder, or check that what is there is the same task's."""
    there = partial / TASK
    if _holds(partial) and (not there.exists() or there.read_text(encoding="utf-8") != task):
        if not (force and there.exists()):
            raise FileExistsError(
                f"{partial} holds unfinished work of another task ({TASK} says which); finish "
                "that, choose another name, or throw it away with --force (force=True)"
            )
        shutil.rmtree(partial)
    if not partial.exists():
        _made(partial, folder)
    written(there, task.encode(), force=True)


def _holds(partial: Path) -> bool:
    """Whether there is more in it than what a run leaves that was killed as it began."""
    return partial.exists() and any(not path.name.startswith(".") for path in partial.iterdir())


def _stopped(error: BaseException, partial: Path, folder: Path) -> BaseException | None:
    """What to raise in its place, with the way on; nothing is kept where nothing was done."""
    kept = any(path.name != TASK for path in partial.iterdir())
    if not kept:
        shutil.rmtree(partial)
    if isinstance(error, KeyboardInterrupt) and kept:
        said = f"; what is done is kept in {partial}, and the same again goes on"
        return KeyboardInterrupt(said)
    if isinstance(error, OSError) and error.errno in FULL:
        said = f"no room left for {folder}; free some, and run the same again"
        return OSError(error.errno, said)
    return None


def _into_place(partial: Path, folder: Path, old: Path, replace: bool) -> None:
    """Rename what is whole, so that there is always the old folder or the new one."""
    try:
        if replace:
            folder.rename(old)
        partial.rename(folder)
    except OSError as error:
        said = f"{folder} is in the way; the result is whole, and stands in {partial}"
        raise OSError(error.errno, said) from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _aside(path: Path, what: str) -> Path:
    """A hidden name beside a path, that no other run has, not even one of the same number."""
    return path.with_name(f".{path.name}.{what}-{os.getpid()}-{secrets.token_hex(3)}")


def _made(partial: Path, folder: Path) -> None:
    with _naming(folder):
        partial.mkdir(parents=True)


@contextmanager
def _naming(folder: Path) -> Generator[None]:
    """Let what the system refuses be said of the folder that was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # our own words
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from error


def written(path: Path, data: bytes, force: bool = False) -> None:
    """Write a file under another name and rename it; an earlier one is kept unless forced.

    Raises:
        FileExistsError: something of that name is there already.
    """
    if path.exists() and not force:
        raise FileExistsError(
            f"{path} exists already; choose another name, or replace it with --force (force=True)"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _aside(path, "partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
