"""Segmentation by a map: closed forms, and figures over all pixels."""

import pytest
import torch

from rather import Batch, Classifier, explain, measure
from rather.metrics import Segmentation
from rather.metrics.segmentation import average_precision, over_images

REGION = torch.zeros(8, 8, dtype=torch.bool)
REGION[2:6, 1:5] = True  # 16 of 64 pixels
EVERY = ("accuracy", "iou", "f1", "ap")


def batch_of(*regions: torch.Tensor) -> Batch:
    images = torch.rand(len(regions), 3, 8, 8, generator=torch.Generator().manual_seed(3))
    labels = torch.zeros(len(regions), dtype=torch.int64)
    return Batch(images, labels, tuple(map(str, range(len(regions)))), torch.stack(regions))


def judged(heat: torch.Tensor, classifier: Classifier, by: str) -> float:
    result = explain(lambda *_: heat[None], classifier, batch_of(REGION))
    return float(measure(Segmentation(by), classifier, result))  # type: ignore[arg-type]


@pytest.mark.parametrize("by", EVERY)
def test_the_indicator_of_the_object_is_perfect_at_any_scale(by: str, linear: Classifier) -> None:
    for scale, shift in ((1.0, 0.0), (1e-3, -7.0), (50.0, 0.1)):
        assert judged(REGION * scale + shift, linear, by) == 1


def test_figures_in_numbers(linear: Classifier) -> None:
    heat = torch.zeros(8, 8)
    heat[2:6, 3:7] = 1.0  # 8 pixels on the object, 8 beside it
    found = {by: judged(heat, linear, by) for by in EVERY}
    assert found["accuracy"] == pytest.approx(48 / 64)
    assert found["iou"] == pytest.approx((8 / 24 + 40 / 56) / 2)
    assert found["f1"] == pytest.approx(0.5)
    assert found["ap"] == pytest.approx(0.5 * 8 / 16 + 0.5 * 16 / 64)  # two levels, two steps


def test_a_flat_map_says_that_all_is_object(linear: Classifier) -> None:
    flat = torch.full((8, 8), 0.1)
    assert judged(flat, linear, "accuracy") == judged(flat, linear, "ap") == 16 / 64
    assert judged(flat, linear, "iou") == pytest.approx(16 / 64 / 2)


def test_average_precision_goes_down_the_ranking() -> None:
    heat = torch.tensor([[4.0, 3.0, 2.0, 1.0]])
    found = average_precision(heat, torch.tensor([[True, False, True, False]]))
    assert float(found) == pytest.approx((1 + 2 / 3) / 2)
    turned = average_precision(-heat, torch.tensor([[True, False, True, False]]))
    assert float(turned) == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_pixels_of_all_images_count_together() -> None:
    small = torch.zeros(8, 8, dtype=torch.bool)
    small[0, 0] = True
    heat = torch.stack([REGION.float(), torch.ones(8, 8)])
    regions = torch.stack([REGION, small])
    assert over_images(heat, regions, "accuracy") == pytest.approx((64 + 1) / 128)
    assert over_images(heat, regions, "iou") == pytest.approx((17 / 80 + 48 / 111) / 2)


def test_without_an_object_there_is_no_figure(linear: Classifier) -> None:
    batch = batch_of(REGION, torch.zeros_like(REGION))
    result = explain(lambda *_: batch.images[:, 0], linear, batch)
    for by in ("iou", "ap"):
        assert measure(Segmentation(by), linear, result).isnan().tolist() == [False, True]
    bare = explain(
        lambda *_: batch.images[:, 0], linear, Batch(batch.images, batch.labels, ("a", "b"))
    )
    with pytest.raises(ValueError, match="needs the true regions"):
        measure(Segmentation(), linear, bare)
