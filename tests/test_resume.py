"""`rather explain` that was stopped goes on, and never with what belongs to something else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from rather import Batch, Classifier, atomic, record
from rather.classifier import digest
from rather.cli import main
from rather.commands import explaining
from rather.study import Study
from rather.view import View

NAMES = ("cat", "dog", "bird")
Explain = Callable[..., int]


def toy() -> Classifier:
    torch.manual_seed(0)
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)).eval()
    return Classifier(net, names=NAMES, view=View(16, 16), name="toy")


class Counted:
    """`contrast` that stops before photo number `stop`, and counts what it made."""

    def __init__(self, stop: int | None = None, error: type[BaseException] = KeyboardInterrupt):
        self.made: list[str] = []
        self.stop, self.error = stop, error
        self.plain = explaining.contrast

    def __call__(
        self, explainer: Any, of: Classifier, batch: Batch, *rest: Any, **named: Any
    ) -> Study:
        if len(self.made) == self.stop:
            raise self.error()
        self.made += batch.names
        return self.plain(explainer, of, batch, *rest, **named)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        draw(tmp_path / "photos" / f"{number}.png", 40 * number)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(path: Path, red: int) -> None:
    image = Image.new("RGB", (16, 16), (red, 90, 30))
    image.paste((200, 10, red), (4, 4, 12, 9))
    image.save(path)


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch) -> Explain:
    plain = explaining.contrast

    def run(counted: Counted, *words: str, out: str = "out") -> int:
        counted.plain = plain
        monkeypatch.setattr(explaining, "contrast", counted)
        by = () if "--by" in words else ("--by", "Occlusion(size=8, stride=8)")
        fixed = ("--classifier", "test_resume:toy", "--device", "cpu", "--out", out, "--batch", "1")
        return main(["explain", "photos", *fixed, *by, *words])

    return run


def alike(*folders: Path) -> bool:
    """Whether records hold the same photos and maps."""
    one, other = ([each.answer for each in record.read(folder)] for folder in folders)
    return all(
        torch.equal(mine.batch.images, yours.batch.images)
        and torch.equal(mine.heatmaps, yours.heatmaps)
        for mine, yours in zip(one, other, strict=True)
    )


def test_what_was_stopped_goes_on_to_the_same_result(
    folder: Path, explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(Counted(stop=2)) == 130
    kept = folder / "out.unfinished"
    said = f"what is done is kept in {kept}, and the same again goes on"
    assert capsys.readouterr().err == f"rather: interrupted; {said}\n"
    assert not (folder / "out").exists()
    again = Counted()
    assert explain(again) == 0
    assert again.made == ["2", "3"]
    whole = Counted()
    assert explain(whole, out="whole") == 0
    assert whole.made == ["0", "1", "2", "3"]
    one, other = (sorted(path.name for path in Path(out).rglob("*")) for out in ("out", "whole"))
    assert one == other
    assert alike(folder / "out", folder / "whole")
    assert sorted(path.name for path in folder.iterdir()) == ["out", "photos", "whole"]


def test_the_second_run_says_what_the_first_would_have(
    folder: Path, explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--json", "--rather-than", "runner-up", "--by", "Lime(samples=40)")
    explain(Counted(stop=3), *words)
    capsys.readouterr()
    said = []
    for out in ("out", "whole"):
        assert explain(Counted(), *words, out=out) == 0
        said.append(json.loads(capsys.readouterr().out)["images"])
    assert said[0] == said[1]


def test_an_error_keeps_what_was_done_as_well(folder: Path, explain: Explain) -> None:
    assert explain(Counted(stop=3, error=RuntimeError)) != 0
    again = Counted()
    assert explain(again) == 0
    assert again.made == ["3"]


def test_other_bounds_on_what_is_held_go_on_as_well(
    folder: Path, explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever ran out of memory begins again with less; parts must be of as many photos."""
    for number in range(4, 8):
        draw(folder / "photos" / f"{number}.png", 20 * number)
    by = ("--by", "Lime(samples=40, infiller=Inpainter(batch=2))", "--batch", "8")
    explain(Counted(stop=4), *by)
    smaller = ("--by", "Lime(samples=40, infiller=Inpainter(batch=1))", "--batch", "5")
    again = Counted()
    assert explain(again, *smaller) == 0
    assert again.made == ["4", "5", "6", "7"]
    one, other = ("--by", "Lime(samples=40)"), ("--by", "Lime(samples=41)")
    explain(Counted(stop=2), *one, out="b")
    capsys.readouterr()
    assert explain(Counted(), *other, out="b") == 1
    assert explain(Counted(), *one, "--batch", "4", out="b") == 1
    assert "holds unfinished work of another task" in capsys.readouterr().err


def test_nothing_is_left_where_nothing_was_done(folder: Path, explain: Explain) -> None:
    assert explain(Counted(stop=0)) == 130
    assert [path.name for path in folder.iterdir()] == ["photos"]


def test_unfinished_work_of_another_task_is_not_touched(
    folder: Path, explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    explain(Counted(stop=2), "--rather-than", "dog", "--target", "cat")
    other = ("--rather-than", "dog", "--target", "cat", "--share", "0.3")
    for words in (("--target", "cat"), other):
        capsys.readouterr()
        assert explain(Counted(), *words) == 1
        assert "holds unfinished work of another task" in capsys.readouterr().err
    again = Counted()
    assert explain(again, "--rather-than", "dog", "--target", "cat") == 0
    assert again.made == ["2", "3"]


def test_force_throws_unfinished_work_of_another_task_away(folder: Path, explain: Explain) -> None:
    explain(Counted(stop=2))
    again = Counted()
    assert explain(again, "--target", "cat", "--force") == 0
    assert again.made == ["0", "1", "2", "3"]
    assert not (folder / "out.unfinished").exists()


def test_a_foreign_folder_of_that_name_is_never_thrown_away(folder: Path, explain: Explain) -> None:
    (folder / "out.unfinished").mkdir()
    (folder / "out.unfinished" / "thesis.tex").write_text("years of work")
    assert explain(Counted(), "--force") == 1
    assert (folder / "out.unfinished" / "thesis.tex").read_text() == "years of work"


def test_a_run_that_was_killed_as_it_began_is_no_hindrance(folder: Path, explain: Explain) -> None:
    (folder / "out.unfinished").mkdir()
    (folder / "out.unfinished" / ".rather-task.json.partial-1-abc").write_text("{")
    (folder / ".out.unfinished.lock").touch()  # of a process that is no more
    assert explain(Counted()) == 0
    assert (folder / "out" / record.MANIFEST).exists()


def test_a_result_does_not_hold_what_the_work_held(folder: Path, explain: Explain) -> None:
    assert explain(Counted()) == 0
    names = {path.name for path in (folder / "out").iterdir()}
    assert names >= {"manifest.json", "report.html", "figures", "00003.safetensors"}
    assert atomic.TASK not in names
    assert not [name for name in names if name.startswith("0") and name.endswith(".json")]


def test_other_weights_are_another_task(
    folder: Path, explain: Explain, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain(Counted(stop=2))

    def other() -> Classifier:
        found = plain()
        with torch.no_grad():
            next(found.net.parameters())[0, 0] += 1e-3
        return found

    plain = toy
    assert digest(plain()) == digest(plain()) != digest(other())
    monkeypatch.setattr("test_resume.toy", other)
    assert explain(Counted()) == 1


def changed(folder: Path) -> None:
    draw(folder / "photos" / "0.png", 250)


def cut(folder: Path) -> None:
    path = folder / "out.unfinished" / "00000.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


def without_words(folder: Path) -> None:
    (folder / "out.unfinished" / "00000.json").write_text("{")


@pytest.mark.parametrize("harm", [changed, cut, without_words])
def test_what_no_longer_fits_is_made_again(
    harm: Callable[[Path], None], folder: Path, explain: Explain
) -> None:
    explain(Counted(stop=2))
    harm(folder)
    again = Counted()
    assert explain(again) == 0
    assert again.made == ["0", "2", "3"]
    explain(Counted(), out="whole")
    assert alike(folder / "out", folder / "whole")


def test_a_photo_that_is_gone_leaves_no_part_behind(folder: Path, explain: Explain) -> None:
    explain(Counted(stop=3))
    (folder / "photos" / "0.png").unlink()
    assert explain(Counted()) == 0
    names = [study.answer.batch.names for study in record.read(folder / "out")]
    assert names == [("1",), ("2",), ("3",)]
    assert len(list((folder / "out").glob("*.safetensors"))) == 3


def test_two_runs_do_not_write_the_same_result(
    folder: Path, explain: Explain, capsys: pytest.CaptureFixture[str]
) -> None:
    with atomic.resumed(folder / "out", {}):
        assert explain(Counted()) == 1
        assert "another run is at work in" in capsys.readouterr().err
    shutil.rmtree(folder / "out")
    assert explain(Counted()) == 0


def test_results_among_the_photos_are_no_photos(folder: Path, explain: Explain) -> None:
    assert explain(Counted(), out="photos/results/out") == 0
    explain(Counted(stop=2), "--target", "cat", out="photos/results/half")
    again = Counted()
    assert explain(again, out="photos/results/second") == 0
    assert again.made == ["0", "1", "2", "3"]


def test_the_manifest_says_what_was_asked_of_whom(folder: Path, explain: Explain) -> None:
    explain(Counted(), "--target", "cat")
    task = json.loads((folder / "out" / record.MANIFEST).read_text())["task"]
    assert task["target"] == "cat"
    assert task["classifier"]["view"] == repr(View(16, 16))
    assert len(task["classifier"]["weights"]) == 64
