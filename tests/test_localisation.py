"""Boxes of maps, and the metrics that hold them against true ones: closed forms."""

import math

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, explain, measure
from rather.metrics import BoxError, BoxFrom, Pointing, SaliencyMetric, SamLocalisation
from rather.metrics.box import Rule, largest, true_boxes
from rather.metrics.saliency_metric import cropped
from rather.metrics.sam_localisation import ALPHAS

BOX = torch.tensor([2, 6, 1, 4])


def told(classifier: Classifier, batch: Batch, heatmaps: Tensor) -> Explanation:
    return explain(lambda *_: heatmaps, classifier, batch)


def region(*boxes: tuple[int, int, int, int], side: int = 8) -> Tensor:
    found = torch.zeros(side, side, dtype=torch.bool)
    for top, bottom, left, right in boxes:
        found[top:bottom, left:right] = True
    return found


def batch_of(*regions: Tensor, boxes: tuple[Tensor, ...] | None = None) -> Batch:
    images = torch.rand(len(regions), 3, 8, 8, generator=torch.Generator().manual_seed(3))
    labels = torch.zeros(len(regions), dtype=torch.int64)
    names = tuple(str(number) for number in range(len(regions)))
    return Batch(images, labels, names, torch.stack(regions), boxes)


@pytest.mark.parametrize("box", [BoxFrom(), BoxFrom("value", 0.5), BoxFrom("energy", 0.9)])
def test_the_indicator_of_a_region_gives_its_own_box(box: BoxFrom, linear: Classifier) -> None:
    inside = region((2, 6, 1, 4))
    assert box(inside[None].float()).tolist() == [BOX.tolist()]
    answer = told(linear, batch_of(inside), inside[None].float())
    assert BoxError(box).best(answer).tolist() == [1]
    assert measure(BoxError(box), linear, answer).tolist() == [0]
    assert measure(Pointing(0.0), linear, answer).tolist() == [1]
    for alpha in ALPHAS:
        assert SamLocalisation(alpha).shares(answer).tolist() == [1]
        assert measure(SamLocalisation(alpha), linear, answer).tolist() == [0]


def test_thresholds_in_numbers() -> None:
    heat = torch.tensor([[-2.0, 0.0, 1.0, 2.0, 3.0]])
    cases: dict[tuple[Rule, float], list[int]] = {
        ("value", 0.6): [0, 0, 1, 1, 1],  # 60 % of the way from -2 to 3 is 1
        ("value", 1.0): [0, 0, 0, 0, 1],
        ("energy", 0.0): [0, 0, 0, 0, 0],
        ("energy", 0.5): [0, 0, 0, 0, 1],  # 3 of 6
        ("energy", 0.51): [0, 0, 0, 1, 1],
        ("energy", 1.0): [0, 0, 1, 1, 1],
        ("mean", 1.0): [0, 0, 0, 1, 1],  # the mean of 0 0 1 2 3 is 1.2
        ("mean", 2.5): [0, 0, 0, 0, 1],
        ("mean", 3.0): [0, 0, 0, 0, 0],
    }
    for (rule, alpha), wanted in cases.items():
        assert BoxFrom(rule, alpha, False).above(heat).int().tolist() == [wanted], (rule, alpha)


@pytest.mark.parametrize("level", [0.1, 0.3, 1e-7, 123.4])
def test_equal_pixels_all_pass_their_mean_or_hold_the_energy_together(level: float) -> None:
    flat = torch.full((224, 224), level)
    assert BoxFrom("mean", 1.0).above(flat).all()
    assert BoxFrom("value", 0.7).above(flat).all()
    assert BoxFrom("energy", 0.5).above(flat).all()


def test_the_largest_part_alone_counts() -> None:
    both = region((0, 2, 0, 2), (4, 8, 4, 8), (3, 4, 3, 4))  # the third touches by a corner
    assert torch.equal(largest(both), region((4, 8, 4, 8)))
    assert BoxFrom()(both[None].float()).tolist() == [[4, 8, 4, 8]]
    assert BoxFrom(largest=False)(both[None].float()).tolist() == [[0, 8, 0, 8]]
    assert not largest(region()).any()


def test_thresholds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha is -0.1, but must be at least 0"):
        BoxFrom(alpha=-0.1)
    with pytest.raises(ValueError, match=r"least is 0.0, but must be a share"):
        SaliencyMetric(least=0.0)


def test_the_best_of_overlapping_boxes_counts_if_they_are_told_apart(linear: Classifier) -> None:
    one, other = (0, 4, 0, 4), (2, 8, 2, 8)
    heat = region(one)[None].float()
    apart = batch_of(region(one, other), boxes=(torch.tensor([one, other]),))
    assert BoxError().best(told(linear, apart, heat)).tolist() == [1]
    merged = told(linear, batch_of(region(one, other)), heat)
    assert BoxError().best(merged).tolist() == [16 / 64]
    assert measure(BoxError(), linear, merged).tolist() == [1]
    separate = batch_of(region((0, 2, 0, 2), (4, 8, 4, 8)))
    assert sorted(true_boxes(separate, BoxError())[0].tolist()) == [[0, 2, 0, 2], [4, 8, 4, 8]]


def test_half_an_overlap_hits_for_one_and_misses_for_the_other(linear: Classifier) -> None:
    heat = region((0, 4, 0, 8))[None].float()
    answer = told(linear, batch_of(region((0, 8, 0, 8))), heat)
    assert measure(BoxError(), linear, answer).tolist() == [0]  # an error is below one half
    assert measure(SamLocalisation(), linear, answer).tolist() == [1]  # or at most one half


def test_maps_without_heat_get_the_whole_image(linear: Classifier) -> None:
    heat = -torch.ones(1, 8, 8) - region((2, 6, 1, 4)).float()
    answer = told(linear, batch_of(region((0, 8, 0, 4))), heat)
    assert BoxError(BoxFrom("energy", 0.5)).best(answer).tolist() == [0.5]
    assert SamLocalisation().shares(answer).tolist() == [0.5]


def test_without_a_true_box_there_is_no_question(linear: Classifier) -> None:
    heat = torch.rand(1, 8, 8)
    answer = told(linear, batch_of(region()), heat)
    assert measure(BoxError(), linear, answer).isnan().all()
    assert measure(SamLocalisation(), linear, answer).isnan().all()
    none = batch_of(region((0, 2, 0, 2)), boxes=(torch.zeros(0, 4, dtype=torch.int64),))
    assert measure(BoxError(), linear, told(linear, none, heat)).isnan().all()
    bare = Batch(none.images, none.labels, none.names)
    with pytest.raises(ValueError, match="SamLocalisation needs the true regions"):
        measure(SamLocalisation(), linear, told(linear, bare, heat))


def test_the_whole_image_scores_minus_the_logarithm_of_its_probability(linear: Classifier) -> None:
    answer = told(linear, batch_of(region(), region()), torch.ones(2, 8, 8))
    expected = -answer.question.probability(answer.logits).log()
    torch.testing.assert_close(measure(SaliencyMetric(), linear, answer), expected)
    foil = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))
    asked = explain(lambda *_: torch.ones(2, 8, 8), linear, answer.batch, foil)
    expected = -foil.probability(asked.logits).log()
    torch.testing.assert_close(measure(SaliencyMetric(batch=1), linear, asked), expected)


def test_the_saliency_metric_of_a_sure_classifier_is_the_area() -> None:
    last = nn.Linear(192, 2)
    last.weight.data.zero_()
    last.bias.data = torch.tensor([200.0, 0.0])
    sure = Classifier(nn.Sequential(nn.Flatten(), last).eval())
    heat = torch.stack([region((2, 6, 0, 8)), region((2, 3, 2, 3)), region((0, 0, 0, 0))]).float()
    answer = told(sure, batch_of(*(region() for _ in range(3))), heat)
    found = measure(SaliencyMetric(BoxFrom("energy", 1.0)), sure, answer)
    assert found.tolist() == pytest.approx([math.log(0.5), math.log(0.05), 0.0])
    unlikely = explain(lambda *_: heat, sure, answer.batch, Question(torch.ones(3).long()))
    found = measure(SaliencyMetric(), sure, unlikely)  # e^-200 is 0 in 32 bits
    assert found[0] == pytest.approx(math.log(0.5) + 200)


def test_a_crop_is_scaled_to_the_image_and_nothing_is_black_by_mistake() -> None:
    images = torch.rand(2, 3, 8, 8)
    whole = torch.tensor([[0, 8, 0, 8], [0, 0, 0, 0]])
    found = cropped(images, whole)
    assert torch.equal(found[0], images[0])
    assert not found[1].any()
    flat = torch.full((1, 3, 8, 8), 0.25)
    torch.testing.assert_close(cropped(flat, torch.tensor([[1, 4, 2, 8]])), flat)
    assert (found >= 0).all()
    assert (cropped(images.round(), torch.tensor([[0, 4, 0, 4]] * 2)) <= 1).all()
