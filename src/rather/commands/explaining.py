"""What `rather explain` and `rather demo` do once the words are understood."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rather import record
from rather.atomic import fresh
from rather.batch import Batch
from rather.classifier import Classifier
from rather.commands import asking
from rather.data.photos import Photos
from rather.explainer import Explainer
from rather.metrics.hybrids import HybridCurves, Hybrids
from rather.progress import track
from rather.region import Region
from rather.report import figures, gallery, page, words
from rather.study import Study, contrast

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


def explained(ask: Ask, photos: Photos, folder: Path, force: bool) -> list[Found]:
    """Write record, figures and page into a folder, all or nothing."""
    found: list[Found] = []
    hybrids: list[HybridCurves] = []
    with fresh(folder, force) as partial:
        failed, batches = photos.failed, track(photos, "photos")
        record.write(_studies(ask, batches, found, hybrids, failed), partial)
        if not found:
            reasons = "; ".join(": ".join(failed) for failed in photos.failed[:3])
            raise ValueError(f"there is no photo to explain: {reasons or 'the folders are empty'}")
        draw(record.read(partial), partial / "figures")
        (partial / "report.html").write_text(page(record.read(partial)), encoding="utf-8")
        if hybrids:
            (partial / GALLERY).write_text(gallery(hybrids), encoding="utf-8")
    return found


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


def _studies(
    ask: Ask,
    batches: Iterable[Batch],
    found: list[Found],
    hybrids: list[HybridCurves],
    failed: list[tuple[str, str]],
) -> Iterator[Study]:
    for batch in batches:
        whole = asking.on(ask.classifier.device, batch)
        here, same = asking.differing(ask.classifier, whole, ask.target, ask.foil)
        failed += same
        if here is None:
            continue
        question = asking.question(ask.classifier, here, ask.target, ask.foil)
        study = contrast(ask.explainer, ask.classifier, here, question, share=ask.share)
        found += [_found(ask.classifier, study, row) for row in range(len(here.names))]
        shown = sum(len(each.score) for each in hybrids)
        if study.answer.counterfactual is not None and shown < SHOWN:
            hybrids.append(Hybrids()(ask.classifier, study.answer))
        yield study


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
