"""What `rather edit` does once the words are understood."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save

from rather.atomic import resumed, written
from rather.classifier import Classifier
from rather.commands import asking
from rather.commands.explaining import safe
from rather.commands.filling import picture
from rather.data.classes import resolve
from rather.data.photos import Photos
from rather.editor import Counterfactual, Editor, checked, edit
from rather.explainer import versions
from rather.metrics.counterfactuals import survives_8bit
from rather.networks.weights import fingerprints
from rather.progress import track
from rather.record.writing import identity
from rather.report import words
from rather.report.figures import shown
from rather.report.sheet import sheet
from rather.types import Images, Labels

MANIFEST, SHEET, KEPT = "edits.json", "sheet.png", "kept"
ROWS = 40  # of the sheet at most


@dataclass(frozen=True, eq=False)
class Task:
    """Who is to be convinced, by what, of which class."""

    classifier: Classifier
    editor: Editor
    to: str


@dataclass(frozen=True)
class Kept:
    """An editor whose edit of one batch lies in a file once it is made, and is taken from there."""

    editor: Editor
    path: Path

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        found = self._found()
        if found is None:
            found = checked(self.editor, self.editor(classifier, images, target), images)
            written(self.path, save({"edited": found.detach().cpu().contiguous()}), force=True)
        return found.to(images)

    def _found(self) -> Images | None:
        try:
            return load(self.path.read_bytes())["edited"]
        except (OSError, SafetensorError, KeyError):  # not there or damaged: made again
            return None


@dataclass(frozen=True)
class Edit:
    """What the command line says of one image; `flipped` is of the edit as it was made, `stored`
    of the file, which has 8 bits a channel; `already`: it was the class before."""

    image: str
    file: str
    target: int
    flipped: bool
    stored: bool
    already: bool
    says: str
    change: float
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]


def edited(task: Task, photos: Photos, folder: Path, force: bool) -> list[Edit]:
    """Write every edited image, a sheet and the answers into a folder; the same call goes on."""
    label, found = resolve(task.to, task.classifier), []
    rows: list[dict[str, Image.Image]] = []
    about = described(task, photos.batch)
    with resumed(folder, about, force, MANIFEST) as partial:
        for old in partial.glob("*.png"):  # of a run that stopped, perhaps of other photos
            old.unlink()
        for batch in track(photos, "photos"):
            images = batch.images.to(task.classifier.device)
            target = torch.full((len(images),), label, device=images.device)
            kept = Kept(task.editor, partial / KEPT / f"{identity(batch)}.safetensors")
            pair = edit(kept, task.classifier, images, target)
            stored = survives_8bit(task.classifier, pair).tolist()
            for row, name in enumerate(batch.names):
                file = f"{len(found) + 1:03}-{safe(name)}.png"
                picture(pair.edited[row : row + 1]).save(partial / file)
                found.append(_edit(task.classifier, pair, row, name, file, stored[row]))
                rows += [_pictures(pair, row, name)] if len(rows) < ROWS else []
        if not found:
            reasons = "; ".join(": ".join(failed) for failed in photos.failed[:3])
            raise ValueError(f"there is no photo to edit: {reasons or 'the folders are empty'}")
        sheet(rows).save(partial / SHEET)
        said = {"classifier": task.classifier.name, "editor": repr(task.editor), "task": about}
        manifest = {**said, "images": [vars(one) for one in found]}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(partial / KEPT)
    return found


def described(task: Task, together: int) -> dict[str, Any]:
    """All that an edit depends on, but for the photos, and how many of them are a part."""
    method = asking.bounded_anew(task.editor)
    by = {"editor": repr(method), "files": fingerprints(task.editor), "to": task.to}
    asked = {**by, "together": together, "versions": dict(versions())}
    return {"classifier": asking.identity(task.classifier), **asked}


def summary(found: list[Edit], folder: Path, failed: list[tuple[str, str]]) -> dict[str, Any]:
    """The result for programs."""
    images = [vars(one) for one in found]
    flips = sum(one.flipped and not one.already for one in found)
    return {"out": str(folder), "flipped": flips, "images": images, "failed": failed}


def lines(found: list[Edit], folder: Path) -> list[str]:
    """The result for people."""
    said = [f"{one.image}: {one.says}" for one in found]
    wanted = [one for one in found if not one.already]
    flips = sum(one.flipped for one in wanted)
    lost = sum(one.flipped and not one.stored for one in wanted)
    count = f"{flips} of {len(wanted)} flipped"
    if len(wanted) < len(found):
        count += f"; {len(found) - len(wanted)} had the class before"
    if lost:
        count += f"; {lost} of them no longer once stored with 8 bits a channel"
    return [*said, count, f"images: {folder.resolve()}"]


def _edit(
    of: Classifier, pair: Counterfactual, row: int, name: str, file: str, stored: bool
) -> Edit:
    return Edit(
        name,
        file,
        int(pair.target[row]),
        bool(pair.flipped[row]),
        stored,
        bool(pair.already[row]),
        words.flipped(pair, row, of.names),
        float(pair.change[row].mean()),
        asking.best(of, pair.before[row], 5),
        asking.best(of, pair.after[row], 5),
    )


def _pictures(pair: Counterfactual, row: int, name: str) -> dict[str, Image.Image]:
    change = pair.change[row] / pair.change[row].max().clamp(min=1e-6)
    grey = change.expand(3, -1, -1)
    edited = "flipped" if bool(pair.flipped[row]) else "not flipped"
    images: Iterable[torch.Tensor] = (pair.images[row], pair.edited[row], grey)
    return dict(zip((name, edited, "where it changed"), map(shown, images), strict=True))
