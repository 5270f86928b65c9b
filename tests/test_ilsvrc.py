import json
import os
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rather import models
from rather.data import photo
from rather.data.ilsvrc import Ilsvrc, union
from rather.view import View

DATA = Path(os.environ.get("RATHER_DATA", Path(__file__).parents[2] / "shared" / "data"))
PHOTOS = DATA / "ilsvrc_val_001-500_256.zip"
BOXES = {
    "one": [[10, 20, 40, 36]],
    "two": [[0, 0, 8, 8], [30, 30, 50, 40]],
    "three": [[0, 0, 4, 4]],
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three photos, black but for white boxes; the box of the third lies outside of the view."""
    path, notes = tmp_path / "photos.zip", {}
    with zipfile.ZipFile(path, "w") as archive:
        for index, (name, boxes) in enumerate(BOXES.items()):
            size = (90, 40) if name == "three" else (60, 40)
            image = Image.new("RGB", size)
            for left, top, right, bottom in boxes:
                image.paste("white", (left, top, right, bottom))
            stream = BytesIO()
            image.save(stream, "PNG")
            archive.writestr(f"folder/{name}.png", stream.getvalue())
            notes[name] = {"index": index, "boxes": boxes, "size": list(size)}
        archive.writestr("annotations.json", json.dumps(notes))
    return path


@pytest.mark.parametrize("view", [View(20, 40), View(32, 40), View(30, None), View(80, 80)])
def test_regions_lie_where_the_boxes_are_seen(archive: Path, view: View) -> None:
    (batch,) = Ilsvrc(archive, view)
    assert batch.names == ("one", "three", "two")
    assert batch.labels.tolist() == [0, 2, 1]
    assert batch.regions is not None
    bright = batch.images.mean(1) > 0.5
    assert (bright != batch.regions).float().mean() < 0.01
    assert bright[0].any()


def test_a_box_outside_of_the_view_leaves_an_empty_region(archive: Path) -> None:
    (batch,) = Ilsvrc(archive, View(24, 40))
    assert batch.regions is not None
    assert batch.regions.flatten(1).any(1).tolist() == [True, False, True]


def test_boxes_are_told_apart_and_follow_their_photos(archive: Path) -> None:
    (batch,) = Ilsvrc(archive, View(32, 40))
    assert batch.boxes is not None
    assert [len(own) for own in batch.boxes] == [1, 0, 1]  # one box of the last is out of sight
    assert batch.boxes[2].tolist() == [[30 - 4, 32, 30 - 14, 32]]
    part = batch.at(torch.tensor([2, 0]))
    assert part.boxes is not None
    assert torch.equal(part.boxes[0], batch.boxes[2])


def test_the_closed_form_of_a_region() -> None:
    found = union([[2.0, 1.0, 5.0, 3.0]], (8, 4), View(4, 4))  # looks at columns 2 to 6
    assert found.int().tolist() == [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


def test_photos_come_in_batches_and_as_many_as_asked(archive: Path) -> None:
    data = Ilsvrc(archive, View(8, 8), batch=2)
    assert [len(batch.names) for batch in data] == [2, 1]
    assert len(data) == 2
    assert [batch.names for batch in Ilsvrc(archive, View(8, 8), first=1)] == [("one",)]


@pytest.mark.parametrize(("field", "value"), [("batch", 0), ("first", 0), ("first", -3)])
def test_numbers_below_one_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Ilsvrc(Path("any.zip"), View(), **{field: value})


def test_files_that_hold_no_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone.zip.* give a zip of photos"):
        list(Ilsvrc(tmp_path / "gone.zip", View()))
    with zipfile.ZipFile(tmp_path / "bare.zip", "w") as archive:
        archive.writestr("a.png", b"")
    with pytest.raises(ValueError, match=r"holds no annotations.json"):
        list(Ilsvrc(tmp_path / "bare.zip", View()))


@pytest.mark.skipif(not PHOTOS.exists(), reason=f"no {PHOTOS}; set RATHER_DATA to its folder")
def test_the_real_photos_are_answered_as_they_should() -> None:
    classifier = models.load("efficientnet-lite0")
    (batch,) = Ilsvrc(PHOTOS, classifier.view, first=16)
    with torch.inference_mode():
        right = (classifier(batch.images).argmax(1) == batch.labels).sum()
    assert int(right) >= 10  # 11 when this was written; 73 % of all 500
    assert batch.regions is not None
    assert batch.regions[0].nonzero().amin(0).tolist() == [58, 18]
    assert batch.boxes is not None
    assert batch.boxes[0][0].tolist()[::2] == [58, 18]
    with zipfile.ZipFile(PHOTOS) as archive:
        first = photo.read(archive.read("ILSVRC2012_val_00000001.webp"))
    assert torch.equal(batch.images[0], photo.look(first, classifier.view))
