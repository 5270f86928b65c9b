"""What `rather explain` and `rather demo` do once the words are understood."""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rather import record
from rather.atomic import resumed
from rather.batch import Batch
from rather.classifier import Classifier
from rather.commands import asking
from rather.data.photos import Photos
from rather.explainer import Explainer, Explanation, versions
from rather.metrics.hybrids import HybridCurves, Hybrids
from rather.networks.weights import fingerprints
from rather.progress import track
from rather.region import Region
from rather.report import figures, gallery, pages, words
from rather.settling import rebuilt
from rather.study import Study, contrast

REPORT = "report"
GALLERY, SHOWN = "gallery.html", 40  # images that the gallery shows at most


@dataclass(frozen=True, eq=False)
class Ask:
    """Who is asked what, and how it is answered."""

    classifier: Classifier
    explainer: Explainer
    target: str | None
    foil: str | None
    share: float


@dataclass(frozen=True)
class Found:
    """What the command line says of one image."""

    image: str
    question: str
    says: str
    empty: str
    target: int
    foil: int | None
    probability: float
    without: dict[str, float]
    regions: dict[str, dict[str, Any]]
    best: list[dict[str, Any]]
    notes: dict[str, float]
    counterfactual: dict[str, Any] | None


def explained(
    ask: Ask, photos: Photos, folder: Path, force: bool, pngs: bool = True
) -> list[Found]:
    """Write record, figures and page into a folder, all or nothing; the same call goes on."""
    found: list[Found] = []
    hybrids: list[HybridCurves] = []
    about = task(ask, photos.batch)
    with resumed(folder, about, force) as partial:
        parts = record.Parts(partial)
        for study in _studies(ask, photos, parts):
            found += [
                _found(ask.classifier, study, row) for row in range(len(study.answer.batch.names))
            ]
            shown = sum(len(each.score) for each in hybrids)
            if study.answer.counterfactual is not None and shown < SHOWN:
                hybrids.append(Hybrids()(ask.classifier, _on(ask.classifier.device, study.answer)))
        if not found:
            reasons = "; ".join(": ".join(failed) for failed in photos.failed[:3])
            raise ValueError(f"there is no photo to explain: {reasons or 'the folders are empty'}")
        _clear(partial)
        if pngs:
            draw(parts, partial / "figures")
        for name, text in pages(parts, REPORT):
            (partial / name).write_text(text, encoding="utf-8")
        if hybrids:
            (partial / GALLERY).write_text(gallery(hybrids), encoding="utf-8")
        parts.finish(about)
    return found


def _clear(folder: Path) -> None:
    """Forget the figures and pages of a run that stopped."""
    shutil.rmtree(folder / "figures", ignore_errors=True)
    for path in folder.glob(f"{REPORT}*.html"):
        path.unlink()


def task(ask: Ask, together: int) -> dict[str, Any]:
    """All that an explanation depends on, but for the photos, and how many of them are a part."""
    asked = {"target": ask.target, "foil": ask.foil, "share": ask.share, "together": together}
    files, method = fingerprints(ask.explainer), asking.bounded_anew(ask.explainer)
    by = {"explainer": repr(method), "files": files, "versions": dict(versions())}
    return {"classifier": asking.identity(ask.classifier), **asked, **by}


def draw(studies: Iterable[Study], folder: Path) -> None:
    """Write every figure of every image as a PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ((study, row) for study in studies for row in range(len(study.answer.batch.names)))
    for number, (study, row) in enumerate(rows, start=1):
        name = safe(study.answer.batch.names[row])
        for figure in figures(study, row):
            figure.picture.save(folder / f"{number:03}-{name}-{figure.key}.png")


def safe(name: str) -> str:
    """A name that is one plain part of a path on every system.

    >>> safe("../a b/c"), safe("")
    ('a-b-c', 'image')
    """
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "image"


def summary(found: list[Found], folder: Path, failed: list[tuple[str, str]]) -> dict[str, Any]:
    """The result for programs."""
    report = str((folder / "report.html").resolve())
    images = [vars(one) for one in found]
    return {"out": str(folder), "report": report, "images": images, "failed": failed}


def lines(found: list[Found], folder: Path) -> list[str]:
    """The result for people."""
    said = [line for one in found for line in _said(one)]
    pages = {"report": folder / "report.html", "hybrids": folder / GALLERY}
    return [*said, *(f"{what}: {page.resolve()}" for what, page in pages.items() if page.exists())]


def _said(one: Found) -> list[str]:
    lines = [f"{one.image}: {one.question}", f"  {one.says}"]
    lines += [f"  {one.empty}"] if one.empty else []
    lines += [f"  {name}: {words.amount(value)}" for name, value in one.notes.items()]
    lines += [f"  {one.counterfactual['says']}"] if one.counterfactual else []
    if one.without:
        most, least = (words.percent(one.without[part]) for part in ("most", "least"))
        lines.append(
            f"  The target has {words.percent(one.probability)}; {most} without the parts that "
            f"speak most for it, {least} without those that speak least."
        )
    return lines + [f"  {part['says']}" for part in one.regions.values()]


def _studies(ask: Ask, photos: Photos, parts: record.Parts) -> Iterator[Study]:
    """The study of every batch; what an earlier run left is not made again."""
    for batch in track(photos, "photos"):
        whole = asking.on(ask.classifier.device, batch)
        here, same = asking.differing(ask.classifier, whole, ask.target, ask.foil)
        photos.failed.extend(same)
        if here is not None:
            yield parts.made(here, lambda here=here: _study(ask, here))


def _study(ask: Ask, batch: Batch) -> Study:
    question = asking.question(ask.classifier, batch, ask.target, ask.foil)
    return contrast(ask.explainer, ask.classifier, batch, question, share=ask.share)


def _on(device: torch.device, answer: Explanation) -> Explanation:
    """An explanation, which may have come from disk, on a device."""
    return rebuilt(answer, lambda part: part.to(device) if isinstance(part, Tensor) else part)


def _region(region: Region, row: int) -> dict[str, Any]:
    """What programs are told of one region of one image."""
    return {
        "area": float(region.area[row]),
        "found": bool(region.found[row]),
        "probability": float(region.probability[row]),
        "says": words.region(region, row),
    }


def _found(classifier: Classifier, study: Study, row: int) -> Found:
    answer, question = study.answer, study.answer.question
    trials = {part.part: float(question.probability(part.logits)[row]) for part in study.removals}
    return Found(
        answer.batch.names[row],
        words.why(*words.asked(question, row, answer.classes)),
        words.answered(study, row),
        words.empty(study, row),
        int(question.target[row]),
        None if question.foil is None else int(question.foil[row]),
        float(question.probability(answer.logits)[row]),
        trials,
        {region.kind: _region(region, row) for region in study.regions},
        asking.best(classifier, answer.logits[row], 5),
        {name: float(values[row]) for name, values in answer.notes.items()},
        _counterfactual(classifier, study, row),
    )


def _counterfactual(classifier: Classifier, study: Study, row: int) -> dict[str, Any] | None:
    """What programs are told of the edit that an image was compared with."""
    pair = study.answer.counterfactual
    if pair is None:
        return None
    return {
        "flipped": bool(pair.flipped[row]),
        "change": float(pair.change[row].mean()),
        "after": asking.best(classifier, pair.after[row], 5),
        "says": words.flipped(pair, row, study.answer.classes),
    }
