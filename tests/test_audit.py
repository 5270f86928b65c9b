"""What an audit found: fills that are bound to rows, methods written alike, and odd answers."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rather import Batch, Classifier, Explanation, Question, contrast, edit, explain, measure
from rather.commands.console import emit
from rather.explainers import (
    Cells,
    Fido,
    Lime,
    MeaningfulPerturbation,
    Occlusion,
    Preservation,
)
from rather.infiller import proposer
from rather.infillers import KeptMean, Mixture, Paste, Pastes
from rather.metrics import FlipRate
from rather.types import Heatmaps, Images

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


def grey(level: float) -> Callable[..., Images]:
    """An in-fill that is written as every other one of its kind."""

    def filled(images: Images, keep: Tensor, generator: torch.Generator) -> Images:
        return torch.full_like(images, level)

    return filled


class Two:
    """What removing to black loses more than removing to white."""

    def __call__(self, classifier: Classifier, images: Images, question: Question) -> Heatmaps:
        black, white = (
            Occlusion(grey(level), size=2, stride=2)(classifier, images, question)
            for level in (0.0, 1.0)
        )
        return black - white


def test_methods_that_are_written_alike_do_not_share_their_passes(
    linear: Classifier, batch: Batch
) -> None:
    alone = explain(Two(), linear, batch, ASKED).heatmaps
    together = contrast(Two(), linear, batch, ASKED, regions=False).answer.heatmaps
    assert alone.abs().max() > 0.01
    torch.testing.assert_close(together, alone)


def test_images_that_are_done_early_take_their_pasted_pixels_along(
    linear: Classifier, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first image has anything to find, so that the second is done before it."""
    sets = (batch.images.clone(), batch.images.clone())
    sets[0][0], sets[1][0] = 0.2, 0.9
    sizes: list[int] = []
    plain = Fido.proposed

    def spied(method: Fido, images: Images, masks: Tensor, step: int) -> Tensor:
        sizes.append(len(images))
        return plain(method, images, masks, step)

    monkeypatch.setattr(Fido, "proposed", spied)
    method = Fido(Pastes(sets), levels=1, cell=2, steps=120, area=1.0, warmup=2, tolerance=6e-4)
    assert explain(method, linear, batch, ASKED).heatmaps.isfinite().all()
    assert set(sizes) == {2, 1}


def test_pasted_pixels_are_not_mixed_with_what_reads_the_mask(batch: Batch) -> None:
    with pytest.raises(ValueError, match="cannot be mixed with what reads the mask"):
        Mixture((Paste(batch.images), KeptMean()))
    assert not Mixture((Paste(batch.images), Paste(1 - batch.images))).uses_keep


def test_sets_of_pixels_have_one_shape(batch: Batch) -> None:
    for sets in ((), (batch.images, batch.images[:1])):
        with pytest.raises(ValueError, match="give one or more sets"):
            Pastes(sets)


def test_pasted_pixels_move_with_the_image_as_published(batch: Batch) -> None:
    """Pasting the image into itself changes nothing, wherever the jitter puts it."""
    images = batch.images
    method = MeaningfulPerturbation.as_published(Paste(images))
    proposed = proposer(method.infiller, images, method.seed)
    grid = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    moved = 0
    for step in range(5):
        top, left = method.shift(step)
        moved += top + left
        made = method.hidden(images, grid, step, proposed)
        torch.testing.assert_close(made, method.moved(images, top, left))
    assert moved > 0


def test_a_mask_of_ones_keeps_all_as_published(batch: Batch) -> None:
    method = MeaningfulPerturbation.as_published(KeptMean())
    made = method.hidden(
        batch.images, torch.ones(2, 1, 28, 28), 0, proposer(KeptMean(), batch.images, 0)
    )
    top, left = method.shift(0)
    torch.testing.assert_close(made, method.moved(batch.images, top, left))


@pytest.mark.parametrize("side", [8, 16, 32])
def test_one_square_that_hides_all_rates_nothing_and_is_refused(side: int) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * side * side, 2)).eval()
    images = torch.rand(2, 3, side, side)
    with pytest.raises(ValueError, match=f"size=32 hides all of a side of {side} pixels"):
        Occlusion()(Classifier(net), images, ASKED)
    assert Occlusion(size=side, stride=side)(Classifier(net), images, ASKED).isfinite().all()


def test_labels_of_segments_may_have_gaps_and_any_sign(linear: Classifier, batch: Batch) -> None:
    def spread(images: Images) -> Tensor:
        return Cells(2)(images) * 85 - 100

    maps = [
        Lime(segmenter=each, samples=30)(linear, batch.images, ASKED) for each in (Cells(2), spread)
    ]
    torch.testing.assert_close(*maps)


def test_a_batch_bounds_preservation_and_changes_nothing(
    convolutional: Classifier, batch: Batch
) -> None:
    seen: list[int] = []
    convolutional.net.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    whole, parts = (
        Preservation(steps=4, batch=size)(convolutional, batch.images, ASKED) for size in (64, 1)
    )
    torch.testing.assert_close(whole, parts)
    assert max(seen[4:]) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda images: images * float("nan"), "NaN or infinite pixels"),
        (lambda images: images[:1], r"answered with \(1, 3"),
        (lambda images: images[:, :1], r"answered with \(2, 1"),
    ],
)
def test_an_edit_is_as_many_finite_images(
    answer: Callable[[Images], Images], said: str, linear: Classifier, batch: Batch
) -> None:
    with pytest.raises(ValueError, match=said):
        edit(lambda _, images, __: answer(images), linear, batch.images, torch.tensor([0, 1]))


def test_answers_of_nan_are_no_flips(batch: Batch) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.full((len(images), 2), torch.nan)

    with pytest.raises(ValueError, match="answers NaN"):
        edit(
            lambda _, images, __: images,
            Classifier(Broken().eval()),
            batch.images,
            torch.tensor([0, 0]),
        )


def test_who_was_of_the_class_before_has_not_flipped(linear: Classifier, batch: Batch) -> None:
    already = linear(batch.images).argmax(1)
    same = edit(lambda _, images, __: images, linear, batch.images, already)
    assert same.already.all()
    assert measure(FlipRate(), linear, same).isnan().all()
    other = edit(lambda _, images, __: images, linear, batch.images, 1 - already)
    assert measure(FlipRate(), linear, other).tolist() == [0, 0]


@pytest.mark.parametrize("answer", [0.5, torch.tensor(0.5), torch.zeros(7), torch.zeros(2, 1)])
def test_a_metric_answers_with_one_number_an_image(
    answer: Any, linear: Classifier, batch: Batch
) -> None:
    def metric(classifier: Classifier, result: Explanation) -> Any:
        return answer

    metric.higher_is_better = True  # type: ignore[attr-defined]
    result = explain(lambda _, images, __: images.mean(1), linear, batch)
    with pytest.raises(ValueError, match="one number for each of the 2 images"):
        measure(metric, linear, result)  # type: ignore[arg-type]


@pytest.mark.parametrize("convert", [lambda heat: heat.numpy(), lambda heat: heat > 0])
def test_heatmaps_are_tensors_of_numbers(
    convert: Callable[[Tensor], Any], linear: Classifier, batch: Batch
) -> None:
    with pytest.raises(ValueError, match="give a float32 tensor"):
        explain(lambda _, images, __: convert(images.mean(1)), linear, batch)


def test_json_knows_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"a": [math.nan, 1.0, {"b": (math.inf, "x")}]})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.0, {"b": [None, "x"]}]}
