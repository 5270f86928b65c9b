"""What every editor must keep, whatever it does. A new one is one line here."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_explainer_contracts import Awkward, traces
from torch import Tensor

from rather import Classifier, Editor, edit
from rather.catalogue import METHODS
from rather.editors import (
    CellSwap,
    ClassMean,
    CycleGan,
    Ganmex,
    LatentShift,
    NearestSample,
    PixelAscent,
    Tries,
    Within,
)
from rather.networks.autoencoder import Autoencoder
from rather.networks.cyclegan import CyclePair
from rather.networks.ganmex import StarGenerator
from rather.networks.weights import packed
from rather.spec import build

BANK = torch.rand(40, 3, 10, 10, generator=torch.Generator().manual_seed(5))
LABELS = torch.arange(40) % 3
KEEP = torch.zeros(3, 1, 10, 10)
KEEP[..., :4, :] = 1

EDITORS = [
    NearestSample(BANK, LABELS),
    NearestSample(BANK, LABELS, metric="features", k=3, seed=2),
    NearestSample(BANK, LABELS, metric="features", layer="last"),
    ClassMean(BANK, LABELS),
    PixelAscent(steps=5),
    PixelAscent(steps=4, loss="ce", l1=0.1, radius=0.05, halvings=1),
    replace(PixelAscent.as_published(), steps=4),
    CellSwap(BANK, "second", LABELS, swaps=2),
    LatentShift("autoencoder.safetensors", doublings=3, bisections=2),
    Ganmex("ganmex.safetensors"),
    Ganmex("ganmex.safetensors", quantise=True),
    CycleGan("cyclegan.safetensors"),
    Tries(NearestSample(BANK, LABELS, k=4), 3),
    Within(PixelAscent(steps=4), KEEP),
    Within(Ganmex("ganmex.safetensors"), KEEP),
]
WANTED = torch.tensor([1, 0, 1])


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Untrained networks, under the names that the editors above ask for."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    nets = {
        "autoencoder": Autoencoder((8, 8, 8), 4),
        "ganmex": StarGenerator((0, 1, 2), 4, 1),
        "cyclegan": CyclePair((0, 1), 4, 1),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, net in nets.items():
            (folder / f"{name}.safetensors").write_bytes(packed(net, {}))
        yield folder


@pytest.fixture
def awkward() -> Classifier:
    torch.manual_seed(3)
    net = Awkward()
    net.norm.get_buffer("running_mean").uniform_(-1, 1)
    net.norm.get_buffer("running_var").uniform_(0.5, 2)
    return Classifier(net.eval())


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 3, 10, 10, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("editor", EDITORS, ids=repr)
def test_editors_leave_no_trace_and_answer_the_same_twice(
    editor: Editor, awkward: Classifier, images: Tensor
) -> None:
    before, draws = images.clone(), torch.get_rng_state()
    state = {key: value.clone() for key, value in awkward.state_dict().items()}
    seen = list(traces(awkward))
    first = edit(editor, awkward, images, WANTED)
    assert torch.equal(torch.get_rng_state(), draws)
    torch.rand(1)  # a stray draw must not matter
    assert torch.equal(first.edited, edit(editor, awkward, images, WANTED).edited)
    assert first.edited.shape == images.shape
    assert not first.edited.requires_grad
    assert 0 <= first.edited.min() <= first.edited.max() <= 1
    assert not torch.equal(first.edited, images)
    assert torch.equal(images, before)
    assert all(torch.equal(state[key], value) for key, value in awkward.state_dict().items())
    assert list(traces(awkward)) == seen


@pytest.mark.parametrize("editor", EDITORS, ids=repr)
def test_inference_mode_around_editors_changes_nothing(
    editor: Editor, awkward: Classifier, images: Tensor
) -> None:
    wanted = edit(editor, awkward, images, WANTED)
    with torch.inference_mode():
        found = edit(editor, awkward, images.clone(), WANTED.clone())
    assert torch.equal(found.edited, wanted.edited)


@pytest.mark.parametrize("editor", EDITORS, ids=repr)
def test_editors_change_images_one_by_one_frozen_or_not(
    editor: Any, awkward: Classifier, images: Tensor
) -> None:
    together = editor(awkward, images, WANTED)
    awkward.net.requires_grad_(False)
    for row in range(3):
        one = torch.tensor([row])
        alone = replace(editor, keep=KEEP[one]) if isinstance(editor, Within) else editor
        torch.testing.assert_close(
            alone(awkward, images[one], WANTED[one]), together[one], rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("editor", EDITORS, ids=repr)
def test_any_editor_can_be_kept_within_a_region(
    editor: Editor, awkward: Classifier, images: Tensor
) -> None:
    made = Within(editor, KEEP)(awkward, images, WANTED)
    assert torch.equal(made[..., :4, :], images[..., :4, :])
    nothing, all_of_it = torch.zeros_like(KEEP[:1]), torch.ones_like(KEEP[:1])
    assert torch.equal(Within(editor, all_of_it)(awkward, images, WANTED), images)
    free = Within(editor, nothing)(awkward, images, WANTED)
    torch.testing.assert_close(free, editor(awkward, images, WANTED))


@pytest.mark.parametrize("editor", [each for each in EDITORS if hasattr(each, "batch")], ids=repr)
def test_the_size_of_the_batch_changes_no_result(
    editor: Any, awkward: Classifier, images: Tensor
) -> None:
    usual = editor(awkward, images, WANTED)
    for batch in (1, 2, 100):
        other = replace(editor, batch=batch)(awkward, images, WANTED)
        torch.testing.assert_close(other, usual, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("editor", EDITORS, ids=repr)
def test_what_repr_prints_can_be_read(editor: Any) -> None:
    held = [getattr(editor, each.name) for each in fields(editor)]
    if any(isinstance(value, Tensor) or not plain(value) for value in held):
        pytest.skip("holds tensors; they stand beside the manifest")
    assert build(repr(editor), METHODS) == editor


def plain(value: object) -> bool:
    """Whether text alone can hold a value."""
    if is_dataclass(value):
        return False
    return value is None or isinstance(value, str | int | float | bool)
