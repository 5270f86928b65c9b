"""Photos from files and folders, as batches; what cannot be read is named and left out."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from PIL import Image

from rather.atomic import TASK
from rather.batch import Batch
from rather.data.photo import doubted, look
from rather.view import View

MARKS: tuple[frozenset[str], ...] = (
    frozenset({"manifest.json", "report.html"}),
    frozenset({"edits.json", "sheet.png"}),
    frozenset({TASK}),
)
OURS = "a result of rather, not photos; give the folder itself to read what is in it"


@dataclass(frozen=True)
class Photos:
    """Photos from files and folders, scaled and cropped, in batches; nothing stops the rest.

    Folders are searched with all that is below them, in the order of names. Each photo is called by
    the stem of its file, or by its path below the folder where stems collide. While it is iterated,
    `failed` gathers (path, reason) of what cannot be read, `left_out` of what was not tried, and
    `doubtful` of what is likely too dark, since nothing says which value is white, or is one
    page of several.

    Args:
        paths: files and folders; a file is tried whatever its name ends in.
        view: what part of each photo is looked at; usually `classifier.view`.
        batch: photos held in memory at once.
    """

    paths: Sequence[Path]
    view: View
    batch: int = 16
    failed: list[tuple[str, str]] = field(default_factory=list, init=False, compare=False)
    left_out: list[tuple[str, str]] = field(default_factory=list, init=False, compare=False)
    doubtful: list[tuple[str, str]] = field(default_factory=list, init=False, compare=False)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch={self.batch} holds no photo; give at least 1")

    def __len__(self) -> int:
        """Batches, if every file can be read."""
        return -(-len(self.files()) // self.batch)

    def __iter__(self) -> Iterator[Batch]:
        self.left_out[:] = self.skipped()
        self.failed[:] = self.left_out
        self.doubtful.clear()
        readable: list[tuple[torch.Tensor, str]] = []
        for path, name in self.files().items():
            readable += self._looked_at(path, name)
            if len(readable) == self.batch:
                yield _batch(readable)
                readable = []
        if readable:
            yield _batch(readable)

    def files(self) -> dict[Path, str]:
        """Every file that will be tried, with its photo's name."""
        return _named([pair for pair in self._found() if not pair[2]])

    def skipped(self) -> list[tuple[str, str]]:
        """What is left out unread in folders, with the reason: hidden, or no image by its name."""
        return [(str(path), reason) for path, _, reason in self._found() if reason]

    def _found(self) -> list[tuple[Path, Path, str]]:
        return [found for path in map(Path, self.paths) for found in _below(path)]

    def _looked_at(self, path: Path, name: str) -> list[tuple[torch.Tensor, str]]:
        try:
            photo, doubt = doubted(path, white=self.view.white)
            self.doubtful.extend([(str(path), doubt)] if doubt else [])
            return [(look(photo, self.view), name)]
        except ValueError as error:
            self.failed.append((str(path), str(error).removeprefix(f"{path}: ")))
            return []


def _below(root: Path) -> Iterator[tuple[Path, Path, str]]:
    """Walk through (file, its path below the root, why it is left out or nothing)."""
    if not root.is_dir():
        yield root, Path(root.name), ""
        return
    closed: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=closed.append):
        if Path(folder) != root and _ours(files):
            folders.clear()
            yield Path(folder), Path(folder).relative_to(root), OURS
            continue
        hidden = sorted(name for name in folders if name.startswith("."))
        folders[:] = sorted(set(folders) - set(hidden))
        for name in sorted([*hidden, *files]):
            path = Path(folder, name)
            yield path, path.relative_to(root), _why_not(path)
    for error in closed:
        yield Path(error.filename), Path(error.filename), f"cannot be opened: {error.strerror}"


def _ours(files: Iterable[str]) -> bool:
    """Whether these are the files of a result, finished or not, of `rather explain` or `edit`."""
    there = set(files)
    return any(marks <= there for marks in MARKS)


def _why_not(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden; give the file itself to read it"
    if path.suffix.lower() not in _endings():
        return f"no image by its name ({path.suffix or 'no ending'}); give the file itself to try"
    return ""


@cache
def _endings() -> frozenset[str]:
    known = Image.registered_extensions()
    return frozenset(ending for ending, kind in known.items() if kind in Image.OPEN)


def _named(found: list[tuple[Path, Path, str]]) -> dict[Path, str]:
    """Give each file a name of its own that can stand in a file name; a file given twice is one."""
    below = {path: short for path, short, _ in reversed(found)}
    below = {path: below[path] for path, _, _ in found}
    stems = Counter(short.stem.casefold() for short in below.values())
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for path, short in below.items():
        alone = stems[short.stem.casefold()] == 1
        name = _free(short.stem if alone else "__".join(short.parts), taken)
        taken.add(name.casefold())
        names[path] = name
    return names


def _free(name: str, taken: set[str]) -> str:
    count, free = 1, name
    while free.casefold() in taken:
        count += 1
        free = f"{name}-{count}"
    return free


def _batch(readable: list[tuple[torch.Tensor, str]]) -> Batch:
    images, names = zip(*readable, strict=True)
    return Batch(torch.stack(images), torch.full((len(names),), -1), names)
