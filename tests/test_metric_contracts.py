"""What every metric must keep, whatever it measures. A new metric is one line here."""

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from rather import Batch, Classifier, Explanation, Metric, Question, edit, explain, measure
from rather.catalogue import METHODS
from rather.editors import PixelAscent
from rather.explainers import IntegratedGradients, Occlusion
from rather.infillers import Constant, Edited
from rather.metrics import (
    Adp,
    Antisymmetry,
    BoxError,
    BoxFrom,
    ChangedShare,
    ClassSensitivity,
    Closeness,
    Completeness,
    Concentration,
    Confidence,
    Cout,
    Dac,
    Deletion,
    Diversity,
    FillError,
    FlipRate,
    HiddenLeak,
    Hybrids,
    Insertion,
    InverseLocalisation,
    KeptArea,
    Mprt,
    Neg,
    OneVsOneDeletion,
    Perceptual,
    Pic,
    Pointing,
    Pos,
    Recreation,
    RemovalCurve,
    Robustness,
    Roms,
    SaliencyMetric,
    SamLocalisation,
    Segmentation,
    Srg,
    TotalVariation,
    TransferValidity,
)
from rather.spec import build


@dataclass(frozen=True)
class Static:
    """The same noise for every image, as all stochastic fills draw it."""

    stochastic: ClassVar[bool] = True

    def __call__(self, images: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
        return torch.rand(images[:1].shape, generator=generator).expand_as(images)


noise = Static()
ASCENT = PixelAscent(steps=5, halvings=0, margin=1e3)
OF_EXPLANATIONS = [
    Deletion(steps=2),
    Deletion(noise, steps=4, draws=2, batch=3),
    Insertion(steps=2, segments=6),
    Srg(steps=4),
    Pointing(tolerance=40.0),
    InverseLocalisation(),
    ClassSensitivity(),
    Mprt(),
    Mprt("independent", "ssim", seed=3),
    BoxError(),
    BoxError(BoxFrom("energy", 0.3, largest=False)),
    SamLocalisation(0.2),
    SaliencyMetric(BoxFrom("value", 0.4), batch=1),
    RemovalCurve(noise, steps=3, draws=2, batch=3),
    Robustness("size", (3, 5), "ssim"),
    Robustness("infiller", (Constant(0.1),), "hog"),
    Concentration("half"),
    KeptArea(noise, "removed", areas=3, batch=2),
    TotalVariation(),
    TotalVariation(KeptArea(areas=3)),
    Pos(),
    Neg(noise, steps=3, batch=3),
    Adp(noise),
    Pic(keep="shifted"),
    Segmentation(),
    Segmentation("ap"),
]
OF_PAIRS = [
    OneVsOneDeletion(steps=4),
    OneVsOneDeletion(noise, "score", steps=3, draws=2, batch=3),
    Completeness(),
    Antisymmetry(),
    Mprt("bottom_up", "spearman"),
    Mprt(likeness="hog", editor="again"),
    Dac(),
    Dac(Hybrids(steps=5, direction="edit", blur=0.0, batch=3)),
    Dac(Hybrids(sweep="value", steps=7, closing=10, pair=True)),
]
OF_EDITS = [
    Closeness("l2"),
    FlipRate(),
    Confidence(),
    Confidence("margin"),
    ChangedShare(least=0.001),
    ChangedShare("mass"),
    Cout(steps=4, batch=3),
    Perceptual(),
    Perceptual(layers=(0,)),
    Diversity(count=2),
]
OF_FILLS = [
    Roms(segments=9, counts=3),
    Roms(noise, segments=9, counts=4, reference="first", draws=2, batch=3),
    HiddenLeak(noise),
    FillError(noise),
    FillError(by="features"),
    FillError(by="log_odds"),
    Recreation(noise),
]
EVERY = OF_EXPLANATIONS + OF_FILLS + OF_PAIRS + OF_EDITS


def rate(metric: Metric, classifier: Classifier, batch: Batch) -> Tensor:
    if metric in OF_FILLS:
        return measure(metric, classifier, batch)
    if metric in OF_EXPLANATIONS:
        return measure(metric, classifier, explain(Occlusion(size=4, stride=2), classifier, batch))
    answer = classifier(batch.images).argmax(1)
    if metric in OF_EDITS:
        return measure(metric, classifier, edit(ASCENT, classifier, batch.images, 1 - answer))
    explainer = IntegratedGradients(Edited(ASCENT), steps=4)
    result = explain(explainer, classifier, batch, Question(answer, 1 - answer))
    return measure(metric, classifier, result)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_metrics_rate_images_one_by_one(
    metric: Metric, convolutional: Classifier, batch: Batch
) -> None:
    together = rate(metric, convolutional, batch)
    alone = [rate(metric, convolutional, batch.at(torch.tensor([row]))) for row in (0, 1)]
    assert not together.isnan().any()
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_metrics_are_pure(metric: Metric, convolutional: Classifier, batch: Batch) -> None:
    images, state = batch.images.clone(), copy.deepcopy(convolutional.state_dict())
    first = rate(metric, convolutional, batch)
    torch.rand(1)  # a stray draw must not matter
    assert torch.equal(first, rate(metric, convolutional, batch))
    assert torch.equal(batch.images, images)
    assert all(torch.equal(now, state[key]) for key, now in convolutional.state_dict().items())
    assert not any(module._forward_hooks for module in convolutional.modules())


@pytest.mark.parametrize("metric", [Deletion, Insertion, Srg])
def test_several_draws_are_averaged(metric: type, convolutional: Classifier, batch: Batch) -> None:
    heat = torch.rand(2, 8, 8)  # without ties, which the seed would break
    result = explain(lambda *_: heat, convolutional, batch)
    once = [measure(metric(noise, seed=7_368_787 * i), convolutional, result) for i in range(3)]
    assert not torch.equal(once[0], once[1])
    found = measure(metric(noise, draws=3), convolutional, result)
    torch.testing.assert_close(found, torch.stack(once).mean(0))


def test_a_curve_without_draws_or_room_is_refused(linear: Classifier, batch: Batch) -> None:
    result = explain(Occlusion(size=4, stride=2), linear, batch)
    with pytest.raises(ValueError, match="draws must be at least 1"):
        measure(Deletion(draws=0), linear, result)
    with pytest.raises(ValueError, match="batch must be at least 1"):
        measure(Deletion(batch=0), linear, result)


@pytest.mark.parametrize("metric", [Deletion, Insertion, Srg, Roms, RemovalCurve])
def test_no_number_depends_on_the_size_of_a_batch(
    metric: type, convolutional: Classifier, batch: Batch
) -> None:
    settings: dict[str, Any] = {"infiller": noise, "draws": 2}
    settings |= {} if metric is RemovalCurve else {"segments": 12}
    results: dict[int, Tensor] = {}
    for size in (1, 5, 100):
        chosen: Any = metric(**settings, batch=size)
        of_fill = isinstance(chosen, Roms)
        result = batch if of_fill else explain(Occlusion(size=4, stride=2), convolutional, batch)
        results[size] = measure(chosen, convolutional, result)
    torch.testing.assert_close(results[1], results[5])
    torch.testing.assert_close(results[1], results[100])


@pytest.mark.parametrize(
    "metric",
    [
        Closeness(),
        Deletion(Constant(0.0), steps=(0.0, 0.3, 1.0)),
        Pointing(),
        Deletion.as_published(),
        Insertion.as_published(),
        Srg.as_published(),
        Pointing.as_published(),
        BoxError.as_published("energy", 0.9),
        SaliencyMetric(BoxFrom("value", 0.4)),
        Robustness("infiller", (Constant(0.2),), "hog"),
        TotalVariation(KeptArea(Constant(0.0), "removed")),
        Roms.as_published(),
        Pos.as_published(),
        Neg.as_published(),
        Adp(keep="shifted"),
        Dac.as_published(),
        Dac.as_in_quac(),
        TransferValidity("mnist"),
        *OF_EDITS,
        *OF_PAIRS[2:],
    ],
    ids=repr,
)
def test_what_a_record_prints_builds_the_same_metric(metric: Metric[Explanation]) -> None:
    assert build(repr(metric), METHODS) == metric
