"""Files and folders that are there as a whole, or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

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
    replaced = folder.exists() and force and (folder / mark).exists()
    if folder.exists() and not replaced:
        why = f"holds no {mark}, so it is not replaced" if force else "exists already"
        way = "move it away" if force else "replace it with --force (force=True)"
        raise FileExistsError(f"{folder} {why}; choose another name, or {way}")
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
    try:
        partial.mkdir(parents=True)
    except OSError as error:
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
