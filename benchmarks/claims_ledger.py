"""Maps and numbers of every photo on disk, so that a long benchmark goes on where it was stopped.

A page is one photo: its maps, and the numbers that were taken of them, each known by what made it.
Pages are written as soon as a map or a group of numbers is there; two processes may work at
different photos of one ledger. All numbers, without the maps, are packed into one file that can be
committed; a page that is missing is taken from there.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from harness import digest
from torch import Tensor

from rather.networks.weights import located

Values: TypeAlias = dict[str, float]
WEIGHTS = re.compile(r"weights=(['\"])([^'\"]+)\1")


def made_by(*parts: object) -> str:
    """A digest of settings in words, and of the bytes of every weights file that they name."""
    words = repr(parts)
    files = [digest(located(found[1])) for found in WEIGHTS.findall(words)]
    return hashlib.sha256(repr((words, files)).encode()).hexdigest()[:16]


class Page:
    """What is known of one photo."""

    def __init__(self, folder: Path, photo: str, packed: Mapping[str, Any]) -> None:
        self.path, self.maps = folder / f"{photo}.json", folder / photo
        self.rows: dict[str, Any] = dict(packed)
        if self.path.exists():
            self.rows |= json.loads(self.path.read_text("utf-8"))

    def map_of(self, row: str, key: str) -> Tensor | None:
        """The map that was made of a row, if it is there and was made alike."""
        path = self.maps / f"{key}.npz"
        if self.rows.get(row, {}).get("made by") != key or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            return torch.from_numpy(stored["heat"])

    def keep_map(self, row: str, key: str, heat: Tensor, about: Mapping[str, Any]) -> None:
        """Write a map, and forget the numbers of one that was made otherwise."""
        self.maps.mkdir(parents=True, exist_ok=True)
        partial = self.maps / f"{key}.tmp.npz"
        np.savez_compressed(partial, heat=heat.numpy())
        partial.replace(self.maps / f"{key}.npz")
        before = self.rows.get(row, {})
        measures = before["measures"] if before.get("made by") == key else {}
        self.rows[row] = {"made by": key, **about, "measures": measures}

    def has(self, row: str, key: str, measure: str, by: str) -> bool:
        """Whether numbers are there, of this very map by this very measure."""
        found = self.rows.get(row, {})
        return (
            found.get("made by") == key and found["measures"].get(measure, {}).get("made by") == by
        )

    def keep_numbers(self, row: str, measure: str, by: str, values: Values) -> None:
        """Write numbers that were taken of a row's map."""
        short = {name: float(f"{value:.6g}") for name, value in values.items()}
        self.rows[row]["measures"][measure] = {"made by": by, "values": short}
        self.write()

    def write(self) -> None:
        """All numbers of the photo, and what its maps were made by."""
        partial = self.path.with_suffix(".tmp")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(self.rows), encoding="utf-8")
        partial.replace(self.path)


class Ledger:
    """The pages of a benchmark."""

    def __init__(self, folder: Path, packed: Path) -> None:
        self.folder, self.packed = folder, packed
        self.before: dict[str, Any] = {}
        if packed.exists():
            self.before = json.loads(gzip.decompress(packed.read_bytes()))

    def page(self, photo: str) -> Page:
        return Page(self.folder, photo, self.before.get(photo, {}))

    def pages(self) -> dict[str, dict[str, Any]]:
        """All that is known: photo, row, and what was measured of it."""
        here = [path.stem for path in self.folder.glob("*.json")]
        return {photo: self.page(photo).rows for photo in sorted({*self.before, *here})}

    def pack(self) -> Path:
        """Put the numbers of all pages into one file."""
        words = json.dumps(self.pages(), sort_keys=True).encode()
        partial = self.packed.with_suffix(".tmp")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(gzip.compress(words, mtime=0))
        partial.replace(self.packed)
        return self.packed

    def numbers(self, keys: Mapping[str, str]) -> dict[str, dict[str, Values]]:
        """Per row and photo all its numbers; only of maps that were made as asked for."""
        found: dict[str, dict[str, Values]] = {row: {} for row in keys}
        for photo, rows in self.pages().items():
            for row, key in keys.items():
                if rows.get(row, {}).get("made by") != key:
                    continue
                measures = rows[row]["measures"]
                found[row][photo] = {
                    name: value
                    for measure in measures.values()
                    for name, value in measure["values"].items()
                }
        return found
