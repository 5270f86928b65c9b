"""Studies to disk, one part per batch; a part once written is there when the work goes on."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from safetensors.torch import save
from torch import Tensor, cat, tensor

from rather.atomic import written
from rather.batch import Batch
from rather.catalogue import METHODS
from rather.explainer import Explanation
from rather.record import reading
from rather.record.format import FORMAT, MANIFEST
from rather.region import Region
from rather.spec import text
from rather.study import Removal, Study

Arrays: TypeAlias = dict[str, Tensor]
Classes: TypeAlias = list[tuple[str, ...]]


class Parts:
    """A record in the making: what each part holds stands beside it, until the manifest says it.

    Args:
        folder: what is written to; parts of an earlier, stopped run may lie there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def made(self, batch: Batch, make: Callable[[], Study]) -> Study:
        """The study of that batch: what an earlier run left here, or made and kept."""
        found = self._left(batch)
        if found is None:
            self.add(found := make())
        else:
            self.count += 1
        return found

    def add(self, study: Study) -> None:
        """Keep a study as the next part."""
        classes: Classes = []
        name = f"{self.count:05}"
        part, data = _part(study, f"{name}.safetensors", classes)
        written(self.folder / f"{name}.safetensors", data, force=True)
        about = {"batch": identity(study.answer.batch), "classes": classes, "part": part}
        written(self.folder / f"{name}.json", json.dumps(about).encode(), force=True)
        self.count += 1

    def __iter__(self) -> Iterator[Study]:
        """The studies so far, from disk, one by one."""
        for number in range(self.count):
            about = self._about(number)
            yield reading.study(self.folder, about["part"], about["classes"])

    def finish(self, task: Mapping[str, Any] | None = None) -> None:
        """Write the manifest, with the task if there is one; what it does not name is cleared."""
        classes: Classes = []
        parts = [self._numbered(number, classes) for number in range(self.count)]
        manifest = {"format": FORMAT, "task": task, "classes": classes, "parts": parts}
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        named = {part["arrays"] for part in parts}
        for path in self.folder.glob("[0-9]" * 5 + ".*"):
            if path.name not in named:
                path.unlink()

    def _left(self, batch: Batch) -> Study | None:
        try:
            about = self._about(self.count)
            if about["batch"] == identity(batch):
                return reading.study(self.folder, about["part"], about["classes"])
        except (OSError, ValueError, KeyError, TypeError):  # not there or damaged: made again
            pass
        return None

    def _numbered(self, number: int, classes: Classes) -> dict[str, Any]:
        """What the manifest says of a part: its classes by their number among all."""
        about = self._about(number)
        for role in about["part"]["explanations"].values():
            role["classes"] = _index(tuple(about["classes"][role["classes"]]), classes)
        return about["part"]

    def _about(self, number: int) -> dict[str, Any]:
        return json.loads((self.folder / f"{number:05}.json").read_text(encoding="utf-8"))


def write(studies: Iterable[Study], folder: Path) -> None:
    """Write studies into a folder, one by one as they come; the manifest last."""
    parts = Parts(folder)
    for study in studies:
        parts.add(study)
    parts.finish()


def identity(batch: Batch) -> str:
    """A digest of the images of a batch and what they are called."""
    digest = hashlib.sha256(json.dumps(batch.names).encode())
    digest.update(batch.images.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _part(study: Study, name: str, classes: Classes) -> tuple[dict[str, Any], bytes]:
    batch = study.answer.batch
    arrays: Arrays = {"images": batch.images, "labels": batch.labels}
    if batch.regions is not None:
        arrays["regions"] = batch.regions
    if batch.boxes is not None:
        arrays["boxes"] = cat(batch.boxes)
        arrays["boxes.each"] = tensor([len(own) for own in batch.boxes])
    explanations = {
        role: _packed(explanation, role, arrays, classes)
        for role, explanation in study.explanations().items()
    }
    removals = [
        _packed_removal(removal, f"removal{number}", arrays)
        for number, removal in enumerate(study.removals)
    ]
    regions = [
        _packed_region(region, f"region{number}", arrays)
        for number, region in enumerate(study.regions)
    ]
    data = save({key: array.detach().cpu().contiguous().clone() for key, array in arrays.items()})
    about = {
        "arrays": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "names": batch.names,
        "explanations": explanations,
        "removals": removals,
        "regions": regions,
    }
    return about, data


def _packed(
    explanation: Explanation, role: str, arrays: Arrays, classes: Classes
) -> dict[str, Any]:
    arrays[f"{role}.heatmaps"] = explanation.heatmaps
    arrays[f"{role}.logits"] = explanation.logits
    arrays[f"{role}.target"] = explanation.question.target
    if explanation.question.foil is not None:
        arrays[f"{role}.foil"] = explanation.question.foil
    pair = explanation.counterfactual
    if pair is not None:
        arrays[f"{role}.edited"], arrays[f"{role}.after"] = pair.edited, pair.after
    arrays.update({f"{role}.note.{name}": values for name, values in explanation.notes.items()})
    return {
        "notes": list(explanation.notes),
        "editor": None if pair is None else _text(pair.editor, role, arrays),
        "explainer": _text(explanation.explainer, role, arrays),
        "classifier": explanation.classifier,
        "classes": _index(explanation.classes, classes),
        "cost": asdict(explanation.cost),
        "versions": dict(explanation.versions),
    }


def _packed_removal(removal: Removal, key: str, arrays: Arrays) -> dict[str, Any]:
    arrays[f"{key}.images"], arrays[f"{key}.logits"] = removal.images, removal.logits
    infiller = _text(removal.infiller, key, arrays)
    return {"part": removal.part, "share": removal.share, "infiller": infiller}


def _packed_region(region: Region, key: str, arrays: Arrays) -> dict[str, Any]:
    arrays[f"{key}.keep"] = region.keep > 0.5
    parts = {"area": region.area, "images": region.images, "logits": region.logits}
    arrays.update({f"{key}.{name}": part for name, part in parts.items()})
    return {"kind": region.kind, "infiller": _text(region.infiller, key, arrays)}


def _text(method: Any, key: str, arrays: Arrays) -> str:
    """Write a method as text, and the tensors that it holds beside the others."""

    def hold(tensor: Tensor) -> str:
        name = f"{key}.held{sum(there.startswith(f'{key}.held') for there in arrays)}"
        arrays[name] = tensor
        return f"Held(name={name!r})"

    return text(method, METHODS, hold)


def _index(names: tuple[str, ...], classes: Classes) -> int:
    if names not in classes:
        classes.append(names)
    return classes.index(names)
