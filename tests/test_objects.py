"""The photos with masks of the object, as the benchmarks read them."""

import importlib
from pathlib import Path

import pytest
import torch

from rather import Classifier
from rather.view import View

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def test_photos_carry_their_masks_and_the_answer(
    monkeypatch: pytest.MonkeyPatch, convolutional: Classifier
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    objects = importlib.import_module("objects")
    if not objects.PHOTOS.exists():
        pytest.skip(f"{objects.PHOTOS} is not here")
    convolutional.view = View(crop=64, resize=73)
    every = objects.photos(convolutional)
    first, second = next(every), next(every)
    assert [*first.names, *second.names] == ["ecssd0001", "ecssd0002"]
    assert first.images.shape == (1, 3, 64, 64)
    assert torch.equal(first.labels, convolutional(first.images).argmax(1))
    assert second.regions is not None
    assert 0.3 < float(second.regions.float().mean()) < 0.6  # a castle, in the middle
    assert second.regions[0, 32, 32]
    assert not second.regions[0, -12:].any()  # its mirror image in the water is not it
    assert objects.data(2).endswith("the first 2")
