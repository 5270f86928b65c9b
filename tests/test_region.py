"""Regions: the smallest part of a ranking that keeps the answer, or loses it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Question, explain
from rather.cost import counting
from rather.infillers import Constant
from rather.metrics import KeptArea
from rather.metrics.search import smallest_that
from rather.region import smallest
from rather.report import words
from rather.types import Heatmaps, Images


class Bright(nn.Module):
    """Answers 0 where more than 30 % of the pixels are white."""

    def forward(self, images: Images) -> Tensor:
        share = images.mean((1, 2, 3))
        return torch.stack([share - 0.305, 0.305 - share], 1)


def in_order(classifier: Classifier, images: Images, question: Question) -> Heatmaps:
    return -torch.arange(100.0).view(1, 10, 10).expand(len(images), -1, -1)


BRIGHT = Classifier(Bright().eval(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WHITE = Batch(torch.ones(2, 3, 10, 10), torch.tensor([0, 0]), ("a", "b"))
ASKED = Question(torch.tensor([0, 0]), torch.tensor([1, 1]))


@pytest.mark.parametrize("asked", [ASKED, Question(ASKED.target)])
def test_regions_are_as_small_as_the_classifier_allows(asked: Question) -> None:
    answer = explain(in_order, BRIGHT, WHITE, asked)
    kept = smallest(answer, BRIGHT, "kept", Constant(0.0), batch=7)
    assert kept.found.all()
    assert kept.keep.mean((1, 2, 3)).tolist() == pytest.approx([0.31, 0.31], abs=0.011)
    assert torch.equal(kept.images, kept.keep.expand(-1, 3, -1, -1))
    removed = smallest(answer, BRIGHT, "removed", Constant(0.0))
    assert removed.found.all()
    assert (1 - removed.keep).mean((1, 2, 3)).tolist() == pytest.approx([0.71, 0.71], abs=0.011)
    assert (removed.probability <= 0.5).all()
    assert (kept.probability > 0.5).all()


def test_the_area_of_a_region_is_that_of_its_pixels() -> None:
    """The smallest share that is tried, 0.2 %, is less than one of a hundred pixels."""

    class Dot(nn.Module):
        def forward(self, images: Images) -> Tensor:
            lit = images[:, 0, 0, 0]
            return torch.stack([lit - 0.5, 0.5 - lit], 1)

    dot = Classifier(Dot().eval(), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    answer = explain(in_order, dot, WHITE, ASKED)
    for kind in ("kept", "removed"):
        assert smallest(answer, dot, kind, Constant(0.0)).area.tolist() == pytest.approx([0.01] * 2)
        share = KeptArea(Constant(0.0), kind)(dot, answer)
        assert share.tolist() == pytest.approx([0.01, 0.01])


def test_a_region_that_does_not_exist_is_said() -> None:
    answer = explain(in_order, BRIGHT, WHITE, ASKED)
    never = smallest(answer, BRIGHT, "removed", Constant(1.0))
    assert not never.found.any()
    assert never.area.tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="areas must be at least 2, but is 1"):
        smallest(answer, BRIGHT, "kept", Constant(0.0), areas=1)


def test_nothing_is_a_region_where_the_fill_or_the_image_answers_already() -> None:
    answer = explain(in_order, BRIGHT, WHITE, ASKED)
    kept = smallest(answer, BRIGHT, "kept", Constant(1.0))
    assert (kept.area.tolist(), kept.found.all()) == ([0.0, 0.0], True)
    assert not kept.keep.any()
    other = explain(in_order, BRIGHT, WHITE, Question(torch.tensor([1, 1])))
    removed = smallest(other, BRIGHT, "removed", Constant(0.5))
    assert (removed.area.tolist(), removed.found.all()) == ([0.0, 0.0], True)
    assert torch.equal(removed.images, WHITE.images)
    assert words.region(kept, 0).startswith("Nothing need be kept")
    assert words.region(removed, 1).startswith("Nothing need be removed")


def test_a_region_costs_what_it_says() -> None:
    answer = explain(in_order, BRIGHT, replace(WHITE), ASKED)
    with counting(BRIGHT) as cost:
        smallest(answer, BRIGHT, "kept", Constant(0.0), areas=8)
    assert cost.forward == 2 * (1 + 8 + 8 + 1)


def test_the_first_that_works_counts() -> None:
    shares = torch.tensor([[0.1, 0.5, 1.0]]).expand(3, -1)
    works = torch.tensor([[True, False, True], [False, True, True], [False, False, False]])
    found, below = smallest_that(shares, works)
    assert found.tolist() == pytest.approx([0.1, 0.5, 1.0])
    assert below.tolist() == pytest.approx([0.0, 0.1, 0.5])
