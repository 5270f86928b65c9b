"""`rather edit` that was stopped goes on, and edits no photo twice."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from rather import Classifier
from rather.cli import main
from rather.commands import asking
from rather.types import Images, Labels
from rather.view import View


def toy() -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)).eval()
    return Classifier(net, names=("cat", "dog"), view=View(16, 16), name="toy")


@dataclass(frozen=True)
class Redder:
    """Adds red, and is interrupted at its call number `stop`."""

    made: list[float]
    stop: int | None = None

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        if len(self.made) == self.stop:
            raise KeyboardInterrupt
        self.made.append(round(float(images[0, 0, 0, 0] * 255)))
        return images + torch.tensor([0.1, 0.0, 0.0])[:, None, None]

    def __repr__(self) -> str:
        return "Redder()"


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        image = Image.new("RGB", (16, 16), (40 * number, 90, 30))
        image.save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "FEW", 1_000)  # one photo at a time

    def run(editor: Redder, *words: str, out: str = "out") -> int:
        monkeypatch.setattr(asking, "editor", lambda _: editor)
        fixed = ("--classifier", "test_edits_resume:toy", "--device", "cpu", "--to", "dog")
        return main(["edit", "photos", *fixed, "--out", out, *words])

    return run


def test_what_was_stopped_goes_on_to_the_same_result(
    edit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(Redder([], stop=2)) == 130
    assert "the same again goes on" in capsys.readouterr().err
    assert not Path("out").exists()
    again, whole = Redder([]), Redder([])
    assert edit(again) == 0
    assert again.made == [80, 120]
    assert edit(whole, out="whole") == 0
    assert whole.made == [0, 40, 80, 120]
    files = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert files == {path.name: path.read_bytes() for path in Path("whole").iterdir()}
    assert sorted(path.name for path in Path().iterdir()) == ["out", "photos", "whole"]


def test_photos_that_changed_or_are_gone_leave_nothing_behind(edit: Callable[..., int]) -> None:
    assert edit(Redder([], stop=3)) == 130
    Path("photos/0.png").unlink()
    Image.new("RGB", (16, 16), (70, 0, 0)).save("photos/1.png")
    again = Redder([])
    assert edit(again) == 0
    assert again.made == [70, 120]
    said = json.loads(Path("out/edits.json").read_text(encoding="utf-8"))["images"]
    assert [one["file"] for one in said] == ["001-1.png", "002-2.png", "003-3.png"]
    assert len([*Path("out").iterdir()]) == 3 + 2


def test_a_damaged_edit_is_made_again(edit: Callable[..., int]) -> None:
    assert edit(Redder([], stop=1)) == 130
    (kept,) = Path("out.unfinished/kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    again = Redder([])
    assert edit(again) == 0
    assert again.made == [0, 40, 80, 120]


@dataclass(frozen=True)
class Broken(Redder):
    """Answers with NaN."""

    def __call__(self, classifier: Classifier, images: Images, target: Labels) -> Images:
        return super().__call__(classifier, images, target) * torch.nan

    def __repr__(self) -> str:
        return "Redder()"  # the same task


def test_what_is_no_edit_is_refused_by_its_editors_name_and_not_kept(
    edit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(Broken([])) == 1
    said = capsys.readouterr().err
    assert "Redder() answered with NaN or infinite pixels" in said
    assert "Kept" not in said
    assert not [*Path().rglob("*.safetensors")]
    assert edit(Redder([])) == 0


def test_unfinished_work_of_another_task_is_not_touched(
    edit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert edit(Redder([], stop=2)) == 130
    kept = sorted(Path("out.unfinished").rglob("*"))
    assert edit(Redder([]), "--to", "cat") == 1
    assert "unfinished work of another task" in capsys.readouterr().err
    assert sorted(Path("out.unfinished").rglob("*")) == kept
    assert edit(Redder([]), "--to", "cat", "--force") == 0
