"""`Cached`: an expensive in-fill, asked once for each image, hole and draw."""

import hashlib
import os
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from rather.infiller import Infiller, reads_hidden, stochastic, uses_keep
from rather.networks.weights import fingerprints
from rather.types import Images, Keep

Entry = dict[str, Tensor]  # the proposal, and the generator's state after it


@dataclass(frozen=True)
class Cached:
    """Answers from memory, or from disk, what it was asked before; the fill is the same without it.

    The key is a hash of the in-fill's `repr` and weights files, the pixels it may look at, the hole
    and the state of the generator; a generator is left as the in-fill would have left it. An
    in-fill that does not depend on the hole is passed through, since callers make its proposal once
    an image anyway.

    Args:
        infiller: what is asked.
        directory: where to keep proposals between runs, one file each; None: memory alone.
        memory: bytes to hold in memory; the entry that was not used for longest goes first.
    """

    infiller: Infiller
    directory: str | None = None
    memory: int = 2**28

    _recent: "Recent" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_recent", Recent(self.memory))
        if self.directory is not None and re.search(r" at 0x[0-9a-f]+", repr(self.infiller)):
            raise ValueError(
                f"{self.infiller!r} names an address in memory, which means nothing in another "
                "run; wrap it as FromCallable(f, name='...'), or leave out directory"
            )

    @property
    def reads_hidden(self) -> bool:
        return reads_hidden(self.infiller)

    @property
    def uses_keep(self) -> bool:
        return uses_keep(self.infiller)

    @property
    def stochastic(self) -> bool:
        return stochastic(self.infiller)

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        if not self.uses_keep or not len(images):
            return self.infiller(images, keep, generator)
        keys = self._keys(images, keep, generator)
        found = {key: entry for key in dict.fromkeys(keys) if (entry := self._recalled(key))}
        missing = [keys.index(key) for key in dict.fromkeys(keys) if key not in found]
        if missing:
            proposals = self.infiller(images[missing], keep[missing], generator)
            for row, proposal in zip(missing, proposals, strict=True):
                found[keys[row]] = _entry(proposal, generator)
                self._keep(keys[row], found[keys[row]])
        if self._drawn:
            generator.set_state(found[keys[0]]["state"].cpu())
        return torch.stack([found[key]["proposal"].to(images) for key in keys])

    @property
    def _drawn(self) -> bool:
        """Whether it may draw: an in-fill that declares nothing may."""
        return bool(getattr(self.infiller, "stochastic", True))

    def _keys(self, images: Images, keep: Keep, generator: torch.Generator) -> list[str]:
        state = generator.get_state().numpy().tobytes() if self._drawn else b""
        told = f"{self.infiller!r} {fingerprints(self.infiller)}"
        common = hashlib.sha256(told.encode() + state)
        visible = images if self.reads_hidden else images.where(keep > 0.5, 0.5)
        return [_key(common.copy(), *pair) for pair in zip(visible, keep, strict=True)]

    def _recalled(self, key: str) -> Entry | None:
        entry = self._recent.get(key)
        if entry is None and self.directory is not None and self._path(key).exists():
            try:
                entry = load_file(self._path(key))
            except (OSError, SafetensorError):  # damaged: asked and written again
                return None
            self._recent.put(key, entry)
        return entry

    def _keep(self, key: str, entry: Entry) -> None:
        self._recent.put(key, entry)
        if self.directory is not None:
            write(self._path(key), save({name: value.cpu() for name, value in entry.items()}))

    def _path(self, key: str) -> Path:
        return Path(self.directory or ".").expanduser() / f"{key}.safetensors"


class Recent:
    """Entries in memory, up to a number of bytes; the one unused for longest goes first."""

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0
        self.entries: OrderedDict[str, Entry] = OrderedDict()

    def get(self, key: str) -> Entry | None:
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        self.held += _size(entry) - _size(self.entries.pop(key, {}))
        self.entries[key] = entry
        while self.held > self.limit:
            self.held -= _size(self.entries.popitem(last=False)[1])


def write(path: Path, content: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        file.write(content)
    os.replace(file.name, path)


def _entry(proposal: Tensor, generator: torch.Generator) -> Entry:
    copy = proposal.clone(memory_format=torch.contiguous_format)
    return {"proposal": copy, "state": generator.get_state()}


def _key(digest: "hashlib._Hash", pixels: Tensor, keep: Tensor) -> str:
    for values in (pixels, keep):
        digest.update(str((values.dtype, tuple(values.shape))).encode())
        digest.update(values.detach().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def _size(entry: Entry) -> int:
    return sum(value.nbytes for value in entry.values())
