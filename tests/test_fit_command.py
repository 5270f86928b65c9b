"""`rather fit` from the command line to the weights, and what it says when it is stopped."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from rather import Batch
from rather.cli import main
from rather.data.folder import Crop, Pictures
from rather.data.labelled import ClassFolders
from rather.data.photos import Photos
from rather.fitting import ClassifierRecipe, CycleGanRecipe, GanmexRecipe
from rather.fitting.labels import agreed
from rather.models import load
from rather.networks.classifiers import StridedNet
from rather.networks.weights import packed
from rather.view import View

RECIPE = "net='vgg', side=8, channels=3, widths=(8, 8), shrink=(2, 2), hidden=16, rate=0.05"
COLOURS = {"dead": (0, 0, 255), "mitotic": (0, 255, 0), "normal": (255, 0, 0)}


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Three class folders of one colour each."""
    for name, colour in COLOURS.items():
        (tmp_path / "cells" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (9, 9 + i), colour).save(tmp_path / "cells" / name / f"{i}.png")
    return tmp_path / "cells"


def fit(cells: Path, out: Path, *rest: object, names: str = str(tuple(COLOURS))) -> int:
    recipe = f"ClassifierRecipe(names={names}, {RECIPE})"
    line = ("fit", recipe, cells, "--out", out, "--size", 8, "--batch", 6, "--device", "cpu")
    return main([*map(str, line), *map(str, rest)])


def test_names_go_with_the_folders_of_those_names(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    assert fit(cells, out, "--steps", 50, names="('normal','mitotic','dead')") == 0
    classifier = load(str(out))
    assert classifier.names == ("normal", "mitotic", "dead")
    images = torch.tensor(list(COLOURS.values()))[:, :, None, None].expand(-1, -1, 8, 8) / 255
    with torch.no_grad():
        answers = classifier(images).argmax(1).tolist()
    assert [classifier.names[label] for label in answers] == list(COLOURS)


def test_another_file_is_replaced_by_force_alone(
    cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "precious.txt"
    out.write_text("precious")
    assert fit(cells, out, "--steps", 1) == 1
    assert "exists already" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert fit(cells, out, "--steps", 1, "--force") == 0
    assert fit(cells, out, "--steps", 1) == 0


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("times", "kept"), [(1, True), (2, False)])
def test_an_interruption_promises_what_is_there(
    kind: signal.Signals,
    times: int,
    kept: bool,
    cells: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses, usual = ClassifierRecipe.losses, signal.getsignal(kind)

    def stopped(self: Any, *given: Any) -> Iterator[Any]:
        for _ in range(times):
            signal.raise_signal(kind)
        yield from losses(self, *given)

    monkeypatch.setattr(ClassifierRecipe, "losses", stopped)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert fit(cells, tmp_path / "net.safetensors") == 130
    finally:
        signal.signal(kind, usual)
    said = capsys.readouterr().err
    folder = tmp_path / "net.safetensors.fit"
    promise = f"; step 1 is kept in {folder}, and the same again goes on" if kept else ""
    assert said == f"rather: interrupted{promise}\n"
    assert (folder / "checkpoint.pt").exists() == kept


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Two class folders of 12 bits in files of 16: dim and half as bright, or bright."""
    for name, value in (("bright", 4000), ("dim", 2000)):
        (tmp_path / "deep" / name).mkdir(parents=True)
        for i in range(3):
            pixels = np.full((9, 9), value + i, dtype=np.uint16)
            Image.fromarray(pixels).save(tmp_path / "deep" / name / f"{i}.tif")
    return tmp_path / "deep"


@pytest.mark.filterwarnings("always:.*nearly black")
def test_training_reads_white_as_it_is_said_and_the_classifier_remembers(
    deep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "('bright', 'dim')"
    plain, white = (tmp_path / f"{name}.safetensors" for name in ("plain", "white"))
    assert fit(deep, plain, "--steps", 1, names=names) == 0
    said = capsys.readouterr().err
    assert "0.tif: it comes out nearly black: its largest value is 4000" in said
    assert said.count("nearly black") == 1
    assert fit(deep, white, "--steps", 1, "--white", 4095, names=names) == 0
    assert "nearly black" not in capsys.readouterr().err
    assert (load(str(plain)).view.white, load(str(white)).view.white) == (None, 4095)
    with safe_open(white, "pt") as file:
        card = json.loads(file.metadata()["card"])
    assert card["white"] == 4095
    assert card["data"].endswith(", 4095 is shown white")


@pytest.mark.parametrize("kind", [ClassFolders, Pictures])
def test_what_is_read_for_training_is_as_bright_as_what_is_explained(
    kind: type, deep: Path, tmp_path: Path
) -> None:
    source, crop = kind((str(deep),), held=0.0, white=4095), Crop(size=8, flip=False)
    seen = [source.batch(6, crop, 0, 0), source.held_out(6, crop)]
    looked = torch.cat([one.images for one in Photos([deep], View(8, 8, white=4095))])
    for found in seen:
        images = found.images if isinstance(found, Batch) else found
        assert sorted(images.mean((1, 2, 3)).tolist()) == pytest.approx(
            sorted(looked.mean((1, 2, 3)).tolist())
        )
    with pytest.raises(ValueError, match="white is -1, but must be above 0"):
        kind((str(deep),), white=-1)


def test_a_training_does_not_go_on_with_another_white(deep: Path, tmp_path: Path) -> None:
    out, names = tmp_path / "net.safetensors", "('bright', 'dim')"
    assert fit(deep, out, "--steps", 1, "--white", 4095, names=names) == 0
    assert fit(deep, out, "--steps", 2, "--white", 4095, names=names) == 0
    assert fit(deep, out, "--steps", 2, "--white", 2000, names=names) == 1


def folders(root: Path, *names: str) -> ClassFolders:
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (28, 28)).save(root / name / "0.png")
    return ClassFolders((str(root),))


@pytest.mark.parametrize("kind", [GanmexRecipe, CycleGanRecipe])
@pytest.mark.parametrize(
    ("classifier", "names", "labels"),
    [
        ("mnist", ("8", "3"), (3, 8)),  # folders are sorted
        ("efficientnet-lite0", ("n02111889", "n02099601"), (207, 258)),
        ("efficientnet-lite0", ("samoyed", "Golden Retriever"), (207, 258)),
    ],
)
def test_classes_are_found_by_the_names_of_their_folders(
    kind: Any, classifier: str, names: tuple[str, ...], labels: tuple[int, ...], tmp_path: Path
) -> None:
    recipe, _ = agreed(kind(classifier, width=4, blocks=1), folders(tmp_path, *names))
    assert recipe == kind(classifier, labels, width=4, blocks=1)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("samoyed", "my cat"), "the class folder 'my cat' is called as no one class of eff"),
        (("samoyed", "n02111889"), r"are the classes \(258, 258\) of efficientnet-lite0, not all"),
    ],
)
def test_folders_that_are_called_as_no_class_are_named(
    names: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said + ".*labels="):
        agreed(GanmexRecipe("efficientnet-lite0"), folders(tmp_path, *names))


def test_a_class_is_its_name_before_it_is_a_number(tmp_path: Path) -> None:
    net = tmp_path / "net.safetensors"
    net.write_bytes(packed(StridedNet(("1", "2"), 8, (4,), (2,), 4, 1), {}))
    recipe, _ = agreed(GanmexRecipe(str(net)), folders(tmp_path / "data", "1", "2"))
    assert recipe.labels == (0, 1)


def test_numbers_that_nobody_gave_are_missed() -> None:
    for kind in (GanmexRecipe, CycleGanRecipe):
        with pytest.raises(ValueError, match="labels are empty, and no class folders"):
            kind("mnist").networks()
