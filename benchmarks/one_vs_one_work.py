"""The work of the claims on counterfactual baselines: every map of a bed, and what is measured."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import torch
from claims_ledger import Page
from one_vs_one_beds import Bed
from torch import Tensor

from rather import (
    Classifier,
    Editor,
    Explainer,
    Explanation,
    Metric,
    Question,
    edit,
    explain,
    measure,
)
from rather.explainers import (
    DeepLift,
    ExpectedGradients,
    IntegratedGradients,
    Occlusion,
    RandomBlurred,
    Residual,
)
from rather.infiller import Infiller
from rather.infillers import Blur, Edited, FoilDonor, Noise
from rather.infillers.blur import smoother
from rather.metrics import Mprt, OneVsOneDeletion
from rather.metrics.mprt import Likeness
from rather.types import PerImage

Numbers: TypeAlias = dict[str, dict[str, float]]  # by image, by column


@dataclass(frozen=True)
class Row:
    """A method and its baseline, which may name edits that are still to be made.

    Args:
        method: as it stands in tables.
        baseline: as it stands in tables.
        explainer: who makes the maps.
        edits: it must edit itself, for measures that give it another editor.
    """

    method: str
    baseline: str
    explainer: Explainer
    edits: bool = False

    @property
    def name(self) -> str:
        return f"{self.method}, {self.baseline}" if self.baseline else self.method

    def key(self, bed: Bed) -> str:
        """A digest of what makes the maps."""
        return hashlib.sha256(f"{self.explainer!r} {bed.about}".encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Perturbed:
    """An edit that is blurred, or has noise on it, before maps begin there."""

    edited: Infiller
    blur: float = 0.0
    noise: float = 0.0

    def __call__(self, images: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        made = Blur(self.blur)(self.edited(images, keep, generator), keep, generator)
        noise = torch.randn(made[:1].shape, generator=generator)
        return (made + self.noise * noise).clamp(0, 1)


@dataclass(frozen=True)
class Smoothed:
    """The map of another explainer, blurred: tells a baseline's merit from its smoothness."""

    explainer: Explainer
    sigma: float

    def __call__(self, classifier: Classifier, images: Tensor, question: Question) -> Tensor:
        heat = self.explainer(classifier, images, question)
        across = smoother(heat.shape[1], self.sigma), smoother(heat.shape[2], self.sigma)
        return across[0] @ heat @ across[1].T


def makers(bed: Bed) -> dict[str, Callable[[Infiller], Explainer]]:
    """The explainers that take any baseline."""
    return {
        "IG": lambda baseline: IntegratedGradients(baseline, limit=bed.limit),
        "DeepLIFT": DeepLift,
        "occlusion": lambda baseline: Occlusion(baseline, bed.patch, bed.patch // 2),
    }


def rows(bed: Bed) -> list[Row]:
    """Every explainer with every baseline; real images of the foil; controls without a network."""
    crossed = [
        Row(method, name, make(baseline))
        for method, make in makers(bed).items()
        for name, baseline in bed.baselines.items()
    ]
    real = Row("EG", "real images", ExpectedGradients(FoilDonor(bed.bank)))
    residual = [
        Row("residual", name, Residual(Edited(editor))) for name, editor in bed.editors.items()
    ]
    return [*crossed, real, *residual, Row("random", "", RandomBlurred(bed.patch / 2))]


def perturbed(bed: Bed) -> list[Row]:
    """Integrated gradients from spoilt counterfactuals and from noise; maps that are blurred."""
    edited = Edited(bed.editors["GANMEX"])
    spoilt = {f"GANMEX, blurred {s:g} px": Perturbed(edited, s) for s in (0.5, 1.0, 2.0)}
    spoilt |= {f"GANMEX, noise {s:g}": Perturbed(edited, noise=s) for s in (0.1, 0.3)}
    every: dict[str, Infiller] = {**spoilt, "noise": Noise()}
    make = makers(bed)["IG"]
    return [
        *(Row("IG", name, make(baseline)) for name, baseline in every.items()),
        *(
            Row("IG, map blurred", name, Smoothed(make(baseline), bed.patch / 4))
            for name, baseline in bed.baselines.items()
        ),
    ]


@dataclass(frozen=True)
class One:
    """A metric under a name."""

    name: str
    metric: Metric[Explanation]

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, PerImage]:
        return {self.name: measure(self.metric, classifier, explanation)}


@dataclass(frozen=True)
class Forgetting:
    """Likeness to the maps of ever more randomised copies: at each depth, its mean, and its fall.

    Depth 0 is the network itself: what training the editor on changes there is none of the fall.

    Args:
        likeness: as `Mprt` knows it.
        refit: makes an editor for a randomised network; whether it convinces is told, too.
    """

    likeness: Likeness
    refit: Callable[[Classifier], Editor] | None = None

    def __call__(self, classifier: Classifier, explanation: Explanation) -> dict[str, PerImage]:
        flips: list[PerImage] = []
        refit = None if self.refit is None else partial(self.refitted, explanation, flips)
        check = Mprt(likeness=self.likeness, refit=refit)
        again = check.rerun(classifier, explanation)
        intact = check.alike(explanation.heatmaps, again)
        curve = torch.cat([intact[:, None], check.curve(classifier, explanation)], 1)
        mean = curve[:, 1:].mean(1)
        depths = {f"{self.likeness} {n}": values for n, values in enumerate(curve.T)}
        valid = {f"validity {n}": flip for n, flip in enumerate(flips)}
        return {self.likeness: mean, f"{self.likeness}, fall": intact - mean, **depths, **valid}

    def refitted(
        self, explanation: Explanation, flips: list[PerImage], classifier: Classifier
    ) -> Editor:
        """The editor, once it is known which images it turns into their foils."""
        foil, make = explanation.question.foil, self.refit
        if make is None or foil is None:
            raise ValueError(f"{self} has no editor, or the question no foil")
        editor = make(classifier)
        flips.append(edit(editor, classifier, explanation.batch.images, foil).flipped.float())
        return editor


Measure: TypeAlias = One | Forgetting


def deletions(bed: Bed) -> list[One]:
    """The lead under fixed fills, of some its logits too, and under the two edits."""
    edits = {f"{name} edit": Edited(editor) for name, editor in bed.editors.items()}
    fills = {**bed.fills, **edits}
    found = [One(name, OneVsOneDeletion(fill, steps=bed.steps)) for name, fill in fills.items()]
    if bed.steps < 20:
        return found
    return found + [
        One(f"{name}, logits", OneVsOneDeletion(fill, "score", bed.steps))
        for name, fill in bed.fills.items()
        if name != "harmonic"  # dear
    ]


def work(bed: Bed, wanted: Sequence[Row], measures: Sequence[Measure], page: Page) -> None:
    """Fill in all that the page lacks, and say how far it is."""
    start = time.perf_counter()
    for number, row in enumerate(wanted, start=1):
        one(bed, row, measures, page)
        spent = time.perf_counter() - start
        print(f"{page.path.stem} {number}/{len(wanted)} {row.name} {spent:.0f} s", flush=True)


def one(bed: Bed, row: Row, measures: Sequence[Measure], page: Page) -> None:
    """The maps of one row, and its numbers."""
    key = row.key(bed)
    missing = [each for each in measures if not page.has(row.name, key, repr(each), key)]
    if not missing:
        return
    explainer = row.explainer if row.edits else bed.ready(row.explainer)
    result = explain(explainer, bed.classifier, bed.images, bed.question)
    if not any(page.has(row.name, key, repr(each), key) for each in measures):
        page.keep_map(row.name, key, result.heatmaps, {"explainer": repr(row.explainer)})
    for each in missing:
        found = bed.ready(each)(bed.classifier, result)
        page.keep_numbers(row.name, repr(each), key, flat(found, bed.images.names))


def flat(found: Mapping[str, PerImage], names: Sequence[str]) -> dict[str, float]:
    """Numbers of all images by column and name."""
    return {
        f"{column}|{name}": value
        for column, values in found.items()
        for name, value in zip(names, values.tolist(), strict=True)
    }


def numbers(bed: Bed, wanted: Sequence[Row], measures: Sequence[Measure], page: Page) -> Any:
    """By row all that is there and was made as asked: by image, by column."""
    known = {repr(each) for each in measures}
    return {row.name: gathered(page, row.name, row.key(bed), known) for row in wanted}


def gathered(page: Page, row: str, key: str, known: set[str]) -> Numbers:
    """The numbers of one row."""
    found: Numbers = {}
    entry = page.rows.get(row, {})
    for name, measured in entry.get("measures", {}).items():
        if name in known and entry.get("made by") == key:
            for where, value in measured["values"].items():
                column, image = where.split("|", 1)
                found.setdefault(image, {})[column] = value
    return found
