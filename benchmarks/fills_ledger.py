"""Numbers per photo on disk, so that a long benchmark goes on where it was stopped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fills_verdict import Numbers

from rather import Batch, Infiller, fill
from rather.infiller import seeded

HERE = Path(__file__).resolve().parent


class Ledger:
    """Numbers per photo on disk, block by block; a block is known by what made it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: dict[str, np.ndarray] = {}
        if path.exists():
            with np.load(path, allow_pickle=False) as stored:
                self.blocks = {name: stored[name] for name in stored.files}

    def done(self, fill: str, kind: str, made_by: str) -> bool:
        return str(self.blocks.get(f"{fill}|{kind}|made by")) == made_by

    def write(self, fill: str, kind: str, made_by: str, found: Mapping[str, torch.Tensor]) -> None:
        self.blocks |= {f"{fill}|{kind}|{name}": own.numpy() for name, own in found.items()}
        self.blocks[f"{fill}|{kind}|made by"] = np.array(made_by)
        partial = self.path.with_suffix(".tmp.npz")
        partial.parent.mkdir(parents=True, exist_ok=True)
        blocks: dict[str, Any] = dict(self.blocks)
        np.savez_compressed(partial, **blocks)
        partial.replace(self.path)

    def numbers(self) -> Numbers:
        """One array of numbers per fill, kind of hole and measure, NaN for photos not seen."""
        keys = {name: name.split("|") for name in self.blocks}
        found = {
            (one, kind, measure): self.blocks[name].astype(np.float64)
            for name, (one, kind, measure) in keys.items()
            if measure != "made by"
        }
        most = max(map(len, found.values()), default=0)
        return {
            key: np.pad(own, (0, most - len(own)), constant_values=np.nan)
            for key, own in found.items()
        }


def made_by(infiller: Infiller, kind: str, batches: Sequence[Batch], judge: str, seed: int) -> str:
    """A digest of all that a block depends on; of a fill, of what it makes of a small photo."""
    photo = batches[0].images[:1, :, :64, :64]
    keep = (torch.arange(photo.shape[3]) % 16 < 8).float().expand_as(photo[:, :1])
    proposal = (fill(infiller, photo, keep, seeded(seed, photo)) * 255).round().byte()
    names = [name for batch in batches for name in batch.names]
    code = [(HERE / f"fills_{part}.py").read_text("utf-8") for part in ("scenes", "judge")]
    parts = [repr(infiller), kind, judge, seed, names, code, proposal.tolist()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
