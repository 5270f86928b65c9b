"""What the benchmark of fills measures of one fill and one kind of hole, photo by photo."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from fills_scenes import Scene, enough
from harness import side_by_side
from torch import Tensor, nn

from rather import Classifier, Infiller, Question, fill
from rather.infiller import filler, seeded
from rather.metrics.features import distance, features, pooled
from rather.metrics.fills import span_mean
from rather.metrics.likeness import inside, psnr, ssim
from rather.types import Images, Keep, Labels, Logits, PerImage
from rather.view import View

Filled = Callable[[Labels, Keep], Images]


@dataclass(frozen=True, eq=False)
class Judge:
    """A classifier that says how good a fill is; `quick` gives the same logits, but no features."""

    name: str
    classifier: Classifier
    quick: Classifier


@torch.no_grad()
def evaluate(
    infiller: Infiller, scene: Scene, judges: Sequence[Judge], seed: int
) -> dict[str, PerImage]:
    """Every measure of one fill on one batch of photos; those of a judge end with its name."""
    filled = filler(infiller, scene.batch.images, seed)
    rows = torch.arange(len(scene.batch.images))
    asked = Question(scene.batch.labels)
    before = [judge.quick(scene.batch.images) for judge in judges]
    found = survival(filled(rows, scene.background), scene, asked, judges, before)
    if scene.hole is not None:
        found |= likeness(filled(rows, scene.hole), scene, asked, judges)
    if scene.ranks is not None and scene.counts is not None:
        found |= reliability(filled, scene, judges, before)
    return found


def survival(
    made: Images,
    scene: Scene,
    asked: Question,
    judges: Sequence[Judge],
    before: Sequence[Logits],
) -> dict[str, PerImage]:
    """Criterion 3: the change of the target's log-odds, and whether the answer stays."""
    found: dict[str, PerImage] = {}
    for judge, logits in zip(judges, before, strict=True):
        after = judge.quick(made)
        change = (asked.log_odds(after) - asked.log_odds(logits)).abs()
        stays = (after.argmax(1) == logits.argmax(1)).float()
        found[f"background@{judge.name}"] = change.where(enough(scene), torch.nan)
        found[f"answer stays@{judge.name}"] = stays.where(enough(scene), torch.nan)
    return found


def likeness(
    made: Images, scene: Scene, asked: Question, judges: Sequence[Judge]
) -> dict[str, PerImage]:
    """Criteria 1 and 4: distance to the truth, and the fall of the target's log-odds."""
    if scene.hole is None:
        raise ValueError("the whole background is no hole that is set beside the truth")
    truth = scene.batch.images
    found = {
        "psnr": psnr(made, truth, scene.hole),
        "ssim": inside(ssim(made, truth), scene.hole),
    }
    for judge in judges:
        (old, logits), (new, after) = (features(judge.classifier, each) for each in (truth, made))
        found[f"features@{judge.name}"] = distance(old, new)
        found[f"penultimate@{judge.name}"] = (pooled(old) - pooled(new)).norm(dim=1)
        found[f"evidence@{judge.name}"] = asked.log_odds(logits) - asked.log_odds(after)
    return found


def reliability(
    filled: Filled, scene: Scene, judges: Sequence[Judge], before: Sequence[Logits], batch: int = 16
) -> dict[str, PerImage]:
    """Criterion 2, R-OMS: mean probability of the untouched answer over growing holes."""
    ranks, counts = scene.ranks, scene.counts
    if ranks is None or counts is None:
        raise ValueError("the whole background has no nested holes")
    rows = torch.arange(len(ranks)).repeat_interleave(counts.shape[1])
    answers: list[list[Tensor]] = [[] for _ in judges]
    shares: list[Tensor] = []
    for row, cut in zip(rows.split(batch), counts.flatten().split(batch), strict=True):
        hidden = ranks[row][:, None] < cut[:, None, None, None]
        made = filled(row, (~hidden).float())
        shares.append(hidden.float().mean((1, 2, 3)))
        for judge, logits, own in zip(judges, before, answers, strict=True):
            own.append(Question(logits.argmax(1)[row]).probability(judge.quick(made)))
    share = torch.cat(shares).view(counts.shape)
    return {
        f"roms@{judge.name}": span_mean(torch.cat(own).view(counts.shape), share)
        for judge, own in zip(judges, answers, strict=True)
    }


def judged_at(classifier: Classifier, side: int) -> Classifier:
    """The classifier for photos of another size, which it scales to its own first.

    Args:
        classifier: who judges.
        side: side of the photos that it is shown, in pixels.
    """
    own = classifier.view.crop
    if own == side:
        return classifier
    scaled = nn.Sequential(nn.Upsample((own, own), mode="bicubic"), classifier.net)
    return Classifier(
        scaled.eval(),
        mean=tuple(classifier.mean.flatten().tolist()),
        std=tuple(classifier.std.flatten().tolist()),
        view=View(side, side),
        name=classifier.name,
    )


@torch.no_grad()
def passes(
    infillers: Mapping[str, Infiller],
    scenes: Mapping[str, Scene],
    classifier: Classifier,
    rounds: int,
) -> list[dict[str, object]]:
    """Criterion 5: seconds of each fill over those of a classifier pass, side by side.

    Worth something on a quiet machine only; 0 rounds measure nothing.
    """
    rows: list[dict[str, object]] = [{"fill": name} for name in infillers]
    for kind, scene in scenes.items():
        if scene.hole is None or not rounds:
            continue
        images, hole = scene.batch.images, scene.hole
        jobs: dict[str, Callable[[], object]] = {"": lambda images=images: classifier(images)}
        for name, infiller in infillers.items():
            jobs[name] = lambda infiller=infiller, images=images, hole=hole: fill(
                infiller, images, hole, seeded(0, images)
            )
        seconds = side_by_side(jobs, rounds)
        for row in rows:
            row[kind] = _ratio(seconds[str(row["fill"])], seconds[""])
    return rows


def _ratio(seconds: Iterable[float], unit: Iterable[float]) -> float:
    return median(a / b for a, b in zip(seconds, unit, strict=True))
