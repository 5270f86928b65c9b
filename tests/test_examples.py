"""Every example runs, in a version short enough for a test."""

import os
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = Path(os.environ.get("RATHER_DATA", EXAMPLES.parents[1] / "shared" / "data"))


def run(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def test_fill_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.radial_gradient("L").save(tmp_path / "photo.png")
    out = tmp_path / "fills.png"
    run("fill_a_photo.py", monkeypatch, str(tmp_path / "photo.png"), str(out))
    assert size_of(out) == (7 * 224, 224)
    assert "Inpainter" in capsys.readouterr().out


def test_several_draws(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run("several_draws.py", monkeypatch, "2")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith("with its eyes")


def test_your_own_infiller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("your_own_infiller.py", monkeypatch)
    assert capsys.readouterr().out.count("[") == 3


def test_mnist_inpainter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (DATA / "mnist.npz").exists():
        pytest.skip(f"no mnist.npz in {DATA}; set RATHER_DATA")
    monkeypatch.setenv("RATHER_DATA", str(DATA))
    short = ["--digits", "8", "--steps", "1", "--batch", "2", "--unseen", "8"]
    run("mnist_inpainter.py", monkeypatch, *short, "--out", str(tmp_path))
    assert (tmp_path / "mnist.safetensors").exists()
    assert size_of(tmp_path / "restored.png") == (5 * 84, 8 * 84)
    assert capsys.readouterr().out.count("L1 on hidden pixels") == 3


def test_train_a_counterfactual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tone in (("dark", 40), ("bright", 200)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for i in range(6):
            shade = Image.new("L", (18, 18), tone + i)
            shade.save(tmp_path / "all" / name / f"{i}.png")
    out = tmp_path / "run"
    short = ["--side", "16", "--steps", "2", "--width", "4", "--out", str(out)]
    run("train_a_counterfactual.py", monkeypatch, str(tmp_path / "all"), *short)
    assert size_of(out / "edits.png")[0] == 3 * 16
    said = capsys.readouterr().out
    assert "as dark" in said
    assert "as bright" in said
    assert "mean change" in said
