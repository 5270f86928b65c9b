"""`rather fit` from the command line to the weights, and what it says when it is stopped."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rather.cli import main
from rather.fitting import ClassifierRecipe
from rather.models import load

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
