"""Files and folders that are there as a whole, or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


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
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        yield partial
        if replaced:
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
