"""The folder of a training: checkpoint, log of figures, and sheets of samples to look at."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rather.fitting import checkpoint
from rather.types import Images

EVERY = 50  # steps between lines of the log


@dataclass
class Journal:
    """Writes down how a training goes; on all machines but the first it only listens."""

    folder: Path
    writes: bool = True
    saved: float = field(default_factory=time.monotonic)
    step: int = 0
    kept: int = 0  # step of the checkpoint; 0: there is none of this training
    heard: list[dict[str, torch.Tensor]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "checkpoint.pt"

    def state(self, identity: dict[str, str], force: bool = False) -> checkpoint.State | None:
        """Read the checkpoint, if there is one, and make sure that it is of this training.

        With `force` one of another training counts for none, and is written over.
        """
        if not self.path.exists():
            return None
        saved = checkpoint.load(self.path)
        other = [name for name, value in identity.items() if saved.get(name) != value]
        if other and force:
            return None
        for name in other:
            raise ValueError(
                f"{self.folder} holds a training with another {name}: {saved.get(name)} "
                f"instead of {identity[name]}; delete the folder, write to another file, or start "
                "anew in its place with --force (force=True)"
            )
        self.kept = saved["step"]
        return saved

    def forget_after(self, step: int) -> None:
        """Drop lines of the log that a killed training wrote after its last checkpoint."""
        self.step = step
        log = self.folder / "log.jsonl"
        if self.writes and log.exists():
            lines = [line for line in log.read_text().splitlines() if _step(line) <= step]
            checkpoint.write(log, "".join(f"{line}\n" for line in lines).encode())

    def hear(self, losses: dict[str, torch.Tensor]) -> None:
        """Note the losses of a step; every so often, check them and write their mean."""
        self.step += 1
        self.heard.append(losses)
        if self.step % EVERY == 0:
            self._settle()

    def show(self, step: int, figures: dict[str, float], columns: tuple[Images, ...]) -> None:
        """Write the figures of a validation and a contact sheet."""
        if self.writes:
            self._write({"step": step, "held out": figures})
            picture(columns).save(self.folder / f"samples_{step:07d}.png")

    def keep(self, state: Callable[[], checkpoint.State], seconds: float, last: bool) -> None:
        """Save a checkpoint if the last one is old enough, or this is the end."""
        if last or time.monotonic() - self.saved >= seconds:
            self._settle()
            if self.writes:
                checkpoint.save(self.path, state())
            self.saved, self.kept = time.monotonic(), self.step

    def promise(self) -> str:
        """What an interruption leaves, in words; empty: nothing."""
        if not self.kept:
            return ""
        return f"; step {self.kept} is kept in {self.folder}, and the same again goes on"

    def _settle(self) -> None:
        means = _means(self.heard)
        for part, mean in means.items():
            if not math.isfinite(mean):
                raise ValueError(
                    f"the loss of {part} is {mean} at step {self.step}; the last good checkpoint "
                    f"stays in {self.folder}; train with a lower rate"
                )
        if self.writes and means:
            now = time.time()
            self._write({"step": self.step, "time": round(now, 1), "losses": means})
        self.heard = []

    def _write(self, line: dict[str, object]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")


def picture(columns: tuple[Images, ...]) -> Image.Image:
    """One row an example, one column a stage."""
    wide = torch.cat([x.detach().float().cpu().clamp(0, 1) for x in columns], 3)
    tall = torch.cat(list(wide), 1).permute(1, 2, 0)
    return Image.fromarray((tall.numpy() * 255).round().astype(np.uint8))


def _means(heard: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    parts = {part for losses in heard for part in losses}
    every = {p: [losses[p].item() for losses in heard if p in losses] for p in sorted(parts)}
    return {part: sum(values) / len(values) for part, values in every.items()}


def _step(line: str) -> int | float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):  # a line that a kill cut in two
        return math.inf
