"""Several draws: means over proposals, and means over answers."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from rather import Batch, Classifier, explain, fill, measure
from rather.explainers import Occlusion
from rather.infiller import reads_hidden, seeded, stochastic, uses_keep
from rather.infillers import Constant
from rather.infillers.samples import Samples, draws
from rather.metrics import Deletion
from rather.types import Images, Keep


@dataclass(frozen=True)
class Coin:
    """One grey a draw, black or white."""

    stochastic: ClassVar[bool] = True
    uses_keep: ClassVar[bool] = False
    reads_hidden: ClassVar[bool] = True

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return torch.zeros_like(images) + (torch.rand((), generator=generator) > 0.5)


def test_samples_are_the_mean_of_as_many_proposals() -> None:
    images, keep = torch.rand(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    generator = seeded(0, images)
    singles = [Coin()(images, keep, generator) for _ in range(5)]
    mean = fill(Samples(Coin(), 5), images, keep, seeded(0, images))
    torch.testing.assert_close(mean, torch.stack(singles).mean(0))
    assert 0 < mean.mean() < 1


def test_samples_declare_what_the_infiller_declares() -> None:
    mean = Samples(Coin(), 2)
    assert (reads_hidden(mean), uses_keep(mean), stochastic(mean)) == (True, False, True)
    assert not stochastic(Samples(Constant(0.3), 2))
    assert repr(mean) == "Samples(infiller=Coin(), k=2)"


def test_a_deterministic_infiller_is_asked_once() -> None:
    asked = []

    def grey(images: Images, keep: Keep, generator: torch.Generator) -> Images:
        asked.append(1)
        return torch.full_like(images, 0.3)

    images, keep = torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    assert torch.equal(
        Samples(grey, 9)(images, keep, torch.Generator())[0, 0], images[0, 0] * 0 + 0.3
    )
    assert len(list(draws(grey, images, keep, 9))) == 1
    assert len(asked) == 2


def test_draws_differ_and_can_be_made_again() -> None:
    images, keep = torch.rand(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    first, again = (list(draws(Coin(), images, keep, 12, seed=3)) for _ in range(2))
    assert len(first) == 12
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert {round(one.mean().item()) for one in first} == {0, 1}
    assert torch.equal(first[4], fill(Coin(), images, keep, seeded(3, images, 4)))


@dataclass(frozen=True)
class Greys:
    """Another grey in every draw."""

    stochastic: ClassVar[bool] = True
    uses_keep: ClassVar[bool] = False

    def __call__(self, images: Images, keep: Keep, generator: torch.Generator) -> Images:
        return torch.zeros_like(images) + torch.rand((), generator=generator)


def grey_of(draw: int, images: Images) -> Constant:
    return Constant(float(torch.rand((), generator=seeded(0, images, draw))))


def test_explainers_average_over_draws(linear: Classifier, batch: Batch) -> None:
    method = Occlusion(infiller=Greys(), size=4, stride=2, draws=3)
    each = [replace(method, infiller=grey_of(draw, batch.images), draws=1) for draw in range(3)]
    maps = [explain(one, linear, batch).heatmaps for one in each]
    together = explain(method, linear, batch).heatmaps
    torch.testing.assert_close(together, torch.stack(maps).mean(0))
    assert not torch.allclose(together, maps[0])


def test_metrics_average_over_draws(linear: Classifier, batch: Batch) -> None:
    explanation = explain(Occlusion(infiller=Constant(0.0), size=4, stride=2), linear, batch)
    method = Deletion(infiller=Greys(), draws=3)
    each = [replace(method, infiller=grey_of(draw, batch.images), draws=1) for draw in range(3)]
    rates = [measure(one, linear, explanation) for one in each]
    together = measure(method, linear, explanation)
    torch.testing.assert_close(together, torch.stack(rates).mean(0))
    assert not torch.allclose(together, rates[0])


def test_no_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="k is 0"):
        Samples(Coin(), 0)
