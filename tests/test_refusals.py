"""What cannot be explained is refused in words, wherever it comes in."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from rather import Batch, Classifier, Question, edit, explain, hints
from rather.catalogue import METHODS
from rather.commands import asking, options
from rather.data.folder import read_or_warn
from rather.data.photo import read
from rather.editors import PixelAscent
from rather.explainers import (
    Bbmp,
    Fido,
    InputGradient,
    MeaningfulPerturbation,
    Occlusion,
    Preservation,
    Rise,
)
from rather.metrics import TransferValidity
from rather.report import words
from rather.spec import build
from rather.types import Images
from rather.view import View

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


class Rounded(nn.Module):
    """Answers, but passes no gradient back."""

    @torch.no_grad()
    def forward(self, images: Images) -> Tensor:
        return torch.stack([images.mean((1, 2, 3)), images.amax((1, 2, 3))], 1)


@pytest.mark.parametrize(
    "method",
    [
        Bbmp(steps=1),
        Fido(steps=1),
        MeaningfulPerturbation(steps=1),
        Preservation(),
        InputGradient(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_network_without_gradient_is_no_map_of_prices(method: object, batch: Batch) -> None:
    blind = Classifier(Rounded().eval(), name="blind")
    with pytest.raises(ValueError, match="blind passes no gradient back to the image"):
        explain(method, blind, batch, ASKED)  # type: ignore[arg-type]
    assert explain(Rise(samples=4), blind.prepare(), batch, ASKED).heatmaps.isfinite().all()


def test_a_class_is_not_compared_with_itself(linear: Classifier, batch: Batch) -> None:
    with pytest.raises(ValueError, match="target and foil of image 1 are both 1"):
        explain(
            Rise(samples=4), linear, batch, Question(torch.tensor([0, 1]), torch.tensor([1, 1]))
        )


def test_names_are_one_a_class(linear: Classifier, batch: Batch) -> None:
    linear.names = ("cat",)
    with pytest.raises(ValueError, match="has 1 names for 2 classes"):
        linear(batch.images)


def test_a_layer_that_went_back_to_training_is_found(batch: Batch) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2), nn.Dropout(0.5)).eval()
    classifier = Classifier(net)
    net[2].train()
    with pytest.raises(ValueError, match="net is in training mode"):
        explain(Rise(samples=4), classifier, batch, ASKED)


def test_edit_checks_what_it_is_given(linear: Classifier, batch: Batch) -> None:
    with pytest.raises(ValueError, match="divide 8-bit values by 255"):
        edit(PixelAscent(steps=1), linear, batch.images * 255, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="target 9 is no class of this classifier"):
        edit(PixelAscent(steps=1), linear, batch.images, torch.tensor([0, 9]))


def test_an_edit_to_what_it_was_is_no_flip(linear: Classifier, batch: Batch) -> None:
    answers = linear(batch.images).argmax(1)
    pair = edit(PixelAscent(steps=0), linear, batch.images, answers)
    assert words.flipped(pair, 0, ("cat", "dog")).endswith("before the edit, and is still.")


def test_a_judge_knows_the_same_classes(linear: Classifier, batch: Batch) -> None:
    judge = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).eval(), name="other")
    pair = edit(PixelAscent(steps=1), linear, batch.images, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="the judge other knows 3 classes, the classifier 2"):
        TransferValidity(judge)(linear, pair)


def test_the_default_method_suits_small_views() -> None:
    usual = asking.explainer(options.BY, seed=3)
    assert asking.suited(usual, options.BY, View()) == usual
    small = asking.suited(usual, options.BY, View(28, 28))
    assert isinstance(small, Occlusion)
    assert (small.size, small.stride, small.seed) == (6, 2, 3)
    own = Occlusion(size=8, stride=8)
    assert asking.suited(own, "Occlusion(size=8, stride=8)", View(28, 28)) == own


def test_photos_that_answer_the_foil_do_not_end_a_folder(linear: Classifier, batch: Batch) -> None:
    linear.names = ("cat", "dog")
    answers = linear(batch.images).argmax(1).tolist()
    same = [name for name, label in zip(batch.names, answers, strict=True) if label == 1]
    rest, failed = asking.differing(linear, batch, None, "dog")
    assert [name for name, _ in failed] == same
    assert all("its answer is 'dog', the foil" in reason for _, reason in failed)
    assert (() if rest is None else rest.names) == tuple(n for n in batch.names if n not in same)
    assert asking.differing(linear, batch, "cat", "dog") == (batch, [])


def test_training_sees_pictures_as_explaining_does(tmp_path: Path) -> None:
    """Turned by EXIF, transparent, and of 16 bits."""
    upright = Image.fromarray(np.arange(40 * 64 * 3, dtype=np.uint8).reshape(40, 64, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGBA", (8, 8), (90, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.fromarray(np.full((8, 8), 4000, dtype=np.uint16)).save(tmp_path / "deep.tif")
    for path in tmp_path.iterdir():
        seen = read_or_warn(str(tmp_path), path.name)
        assert seen is not None
        assert np.array_equal(np.asarray(seen), np.asarray(read(path)))
    assert read(tmp_path / "turned.jpg").size == (40, 64)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("Rise(samples=50.0)", "samples of Rise is a whole number, not 50.0"),
        ("Lime(samples='many')", "samples of Lime is a whole number, not 'many'"),
        ("Occlusion(size=True)", "size of Occlusion is a whole number, not True"),
        ("Occlusion(infiller=3)", "infiller of Occlusion is of the kind Infiller, not 3"),
        ("Occlusion(batch='all')", "batch of Occlusion is a whole number or None, not 'all'"),
        ("Fido(objective='srs')", "objective of Fido is 'ssr' or 'sdr' or 'joint', not 'srs'"),
        ("Fido(antithetic=1)", "antithetic of Fido is True or False, not 1"),
        ("MeanColour(colour=1)", "no field of MeanColour is called 'colour'"),
        ("Constant(value='red')", "value of Constant is a number or several values in brackets"),
        ("Fido.as_published(objective=2)", "objective of Fido.as_published is 'ssr' or"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(call: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        build(call, METHODS)


def test_the_defaults_of_every_method_fit_their_own_types() -> None:
    told = 0
    for name, method in METHODS.items():
        chosen = {
            field.name: field.default
            for field in fields(method)
            if field.init and field.default is not MISSING
        }
        hints.check(name, method, chosen)
        told += len(chosen)
    assert told > 200
