"""The perturbation test, average drop and increase: known answers."""

import math

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, measure
from rather.explainers.survival import survival
from rather.infillers import Constant
from rather.metrics import Adp, Neg, Pic, Pos


class Brightness(nn.Module):
    """Class 0 while the image is brighter than a level."""

    def forward(self, images: Tensor) -> Tensor:
        bright = 8 * (images.mean((1, 2, 3)) - 0.45)
        return torch.stack([bright, torch.zeros_like(bright)], 1)


@pytest.fixture
def bright() -> Classifier:
    return Classifier(Brightness().eval(), mean=(0.0,) * 3, std=(1.0,) * 3)


def explained(classifier: Classifier, images: Tensor, heat: Tensor) -> Explanation:
    labels = torch.zeros(len(images), dtype=torch.long)
    batch = Batch(images, labels, tuple(map(str, range(len(images)))))
    with torch.no_grad():
        logits = classifier(images)
    return Explanation(batch, Question(labels), logits, heat, lambda *_: heat)


def test_an_answer_that_needs_half_of_the_pixels_lives_half_of_the_way(bright: Classifier) -> None:
    """Right at 0 to 50 %, wrong from 60 %: area 0.55."""
    result = explained(bright, torch.ones(1, 3, 10, 10), torch.rand(1, 10, 10))
    for metric in (Pos(), Neg(), Pos.as_published(), Neg.as_published()):
        assert measure(metric, bright, result).item() == pytest.approx(55, abs=1e-4)
    lasting = explained(bright, torch.ones(1, 3, 10, 10), torch.rand(1, 10, 10))
    whole = (measure(metric, bright, lasting).item() for metric in (Pos(Constant(1.0)), Neg()))
    assert next(whole) == pytest.approx(100, abs=1e-4)


def test_the_published_form_is_what_ltx_selects_by(convolutional: Classifier) -> None:
    """In many images with ties, of which some are answered wrong."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(20, 3, 8, 8, generator=generator)
    heat = (3 * torch.rand(20, 8, 8, generator=generator)).round()
    result = explained(convolutional, images, heat)
    asked = result.question
    found = [
        measure(each, convolutional, result) for each in (Pos.as_published(), Neg.as_published())
    ]
    with torch.no_grad():
        best = survival(convolutional, images, asked, heat, "morf")
        worst = survival(convolutional, images, asked, heat, "lerf")
    torch.testing.assert_close(torch.stack(found), torch.stack([best, worst]), rtol=0, atol=1e-4)


def test_drop_and_increase_compare_the_part_with_the_whole(bright: Classifier) -> None:
    """A map that keeps a quarter as it is, one that keeps all, and one that is flat."""
    images = torch.full((3, 3, 4, 4), 0.5)
    heat = torch.zeros(3, 4, 4)
    heat[0, :2, :2], heat[1] = 1.0, 0.5
    heat[1, 0, 0] = 0.4
    result = explained(bright, images, heat)

    def likely(mean: float) -> float:
        return 1 / (1 + math.exp(-8 * (mean - 0.45)))

    whole = likely(0.5)
    drop = measure(Adp(), bright, result)
    assert drop[0].item() == pytest.approx(100 * (whole - likely(0.125)) / whole, abs=1e-3)
    assert drop[2].item() == pytest.approx(100 * (whole - likely(0.0)) / whole, abs=1e-3)
    shifted = measure(Adp(keep="shifted"), bright, result)
    assert shifted[2].item() == pytest.approx(100 * (whole - likely(0.25)) / whole, abs=1e-3)
    on_white = measure(Pic(Constant(1.0)), bright, result)
    assert on_white.tolist() == [100, 100, 100]
    assert measure(Pic(), bright, result).tolist() == [0, 0, 0]
