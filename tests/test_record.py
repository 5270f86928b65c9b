"""What is written comes back, and what is damaged says so."""

import errno
import json
from pathlib import Path

import pytest
import torch

from rather import Batch, Classifier, Explanation, Question, Study, contrast, explain
from rather.atomic import fresh, written
from rather.explainers import Cells, IntegratedGradients, Lime, Occlusion
from rather.infillers import Constant, Paste
from rather.record import MANIFEST, read, write
from rather.types import Heatmaps, Images

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


@pytest.fixture
def named(convolutional: Classifier) -> Classifier:
    convolutional.names, convolutional.name = ("cat, tom", "dog"), "toy"
    return convolutional


def kept(study: Study, folder: Path) -> Study:
    write([study], folder)
    (found,) = read(folder)
    return found


def same_tensor(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and torch.equal(one, other)


def check_same(one: Explanation, other: Explanation) -> None:
    assert same_tensor(one.batch.images, other.batch.images)
    assert same_tensor(one.batch.labels, other.batch.labels)
    assert same_tensor(one.batch.regions, other.batch.regions)
    assert one.batch.names == other.batch.names
    assert same_tensor(one.question.target, other.question.target)
    assert same_tensor(one.question.foil, other.question.foil)
    assert same_tensor(one.logits, other.logits)
    assert same_tensor(one.heatmaps, other.heatmaps)
    assert one.explainer == other.explainer
    assert (one.classifier, one.classes) == (other.classifier, other.classes)
    assert one.cost == other.cost
    assert one.versions == other.versions
    assert one.seed == other.seed
    assert one.notes.keys() == other.notes.keys()
    assert all(torch.equal(values, other.notes[name]) for name, values in one.notes.items())


def test_a_study_comes_back_equal_in_every_field(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    study = contrast(Occlusion(Constant(0.25), size=4, stride=4, seed=3), named, batch, ASKED)
    found = kept(study, tmp_path)
    assert list(found.explanations()) == ["answer", "target", "foil"]
    for role, explanation in study.explanations().items():
        check_same(found.explanations()[role], explanation)
    assert found.cost == study.cost
    assert [part.part for part in found.removals] == ["most", "least", "rest"]
    for one, other in zip(found.removals, study.removals, strict=True):
        assert (one.part, one.share, one.infiller) == (other.part, other.share, other.infiller)
        assert same_tensor(one.images, other.images)
        assert same_tensor(one.logits, other.logits)
    assert [region.kind for region in found.regions] == ["kept", "removed"]
    for one, other in zip(found.regions, study.regions, strict=True):
        assert one.infiller == other.infiller
        for name in ("area", "keep", "images", "logits", "probability", "found"):
            assert same_tensor(getattr(one, name), getattr(other, name))


def test_what_a_method_noted_comes_back(named: Classifier, batch: Batch, tmp_path: Path) -> None:
    study = contrast(Lime(segmenter=Cells(2), samples=9), named, batch, ASKED)
    found = kept(study, tmp_path)
    assert set(found.answer.notes) == {"weighted R2 of the fit", "share hidden at once, mean"}
    for role, explanation in study.explanations().items():
        check_same(found.explanations()[role], explanation)


def test_a_record_without_regions_is_read(named: Classifier, batch: Batch, tmp_path: Path) -> None:
    write([contrast(Occlusion(Constant(0.25), 4, 4), named, batch, regions=False)], tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    del manifest["parts"][0]["regions"]  # as an earlier version wrote it
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (found,) = read(tmp_path)
    assert found.regions == ()


def test_an_explanation_without_foil_and_regions_comes_back(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    bare = Batch(batch.images, batch.labels, ("../x", "a/b"))
    explanation = explain(IntegratedGradients(steps=2), named, bare)
    found = kept(Study(explanation), tmp_path)
    check_same(found.answer, explanation)
    assert found.answer.batch.boxes is None


def test_boxes_come_back_as_many_as_each_image_had(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    boxes = (torch.tensor([[0, 2, 1, 4], [1, 8, 0, 3]]), torch.zeros(0, 4, dtype=torch.int64))
    told = Batch(batch.images, batch.labels, batch.names, batch.regions, boxes)
    found = kept(Study(explain(IntegratedGradients(steps=2), named, told)), tmp_path)
    assert found.answer.batch.boxes is not None
    pairs = zip(found.answer.batch.boxes, boxes, strict=True)
    assert all(same_tensor(*pair) for pair in pairs)
    assert (found.target, found.foil, found.removals) == (None, None, ())
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, "00000.safetensors"}


def test_tensors_inside_a_method_stand_beside_the_manifest(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    paste = Paste(torch.rand(2, 3, 8, 8))
    study = Study(explain(Occlusion(paste, size=4, stride=4), named, batch))
    found = kept(study, tmp_path).answer.explainer
    assert isinstance(found, Occlusion)
    assert isinstance(found.infiller, Paste)
    assert same_tensor(found.infiller.images, paste.images)
    assert len((tmp_path / MANIFEST).read_text()) < 3000


def bright(classifier: Classifier, images: Images, question: Question) -> Heatmaps:
    return images.mean(1)


def test_a_function_comes_back_as_a_name_that_cannot_run(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    found = kept(Study(explain(bright, named, batch)), tmp_path).answer
    assert repr(found.explainer) == "Opaque(name='test_record.bright')"
    with pytest.raises(ValueError, match=r"test_record.bright was recorded by its name alone"):
        explain(found.explainer, named, batch)


def test_a_function_inside_a_method_leaves_the_rest_readable(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    explainer = Occlusion(lambda images, keep, generator: images * 0, size=4, stride=4)
    found = kept(Study(explain(explainer, named, batch)), tmp_path).answer.explainer
    assert isinstance(found, Occlusion)
    assert found.size == 4
    assert "lambda" in repr(found.infiller)


def test_a_method_that_this_version_lacks_comes_back_as_its_name(
    named: Classifier, batch: Batch, tmp_path: Path
) -> None:
    write([Study(explain(Occlusion(size=4, stride=4), named, batch))], tmp_path)
    path = tmp_path / MANIFEST
    path.write_text(path.read_text().replace("Occlusion(", "Occultism("))
    (found,) = read(tmp_path)
    assert "Occultism(" in repr(found.answer.explainer)


@pytest.fixture
def recorded(named: Classifier, batch: Batch, tmp_path: Path) -> Path:
    write([Study(explain(bright, named, batch))], tmp_path)
    return tmp_path


def test_a_folder_without_manifest_is_no_record(recorded: Path) -> None:
    (recorded / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"is no record: it holds no manifest.json"):
        read(recorded)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read: Expecting property name"),
        ('{"parts": []}', "is damaged: KeyError: 'format'"),
        ("[]", "is damaged: TypeError"),
        ('{"format": 99}', "has format 99, but this version of rather reads 1"),
        ('{"format": 1}', "is damaged: KeyError: 'it lacks classes, parts'"),
    ],
)
def test_a_damaged_manifest_is_named(recorded: Path, text: str, message: str) -> None:
    (recorded / MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=message):
        read(recorded)


def test_damaged_arrays_are_named(recorded: Path) -> None:
    path = recorded / "00000.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"00000.safetensors.*not those that were written"):
        list(read(recorded))
    path.unlink()
    with pytest.raises(ValueError, match=r"00000.safetensors cannot be read: .*No such file"):
        list(read(recorded))


def test_a_manifest_cannot_point_outside_of_its_folder(recorded: Path) -> None:
    path = recorded / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["parts"][0]["arrays"] = "../../00000.safetensors"
    path.write_text(json.dumps(manifest))
    (found,) = read(recorded)  # the folder's own file of that name is read
    assert found.answer.batch.names == ("left", "right")


def interrupt_after(_: None) -> None:
    raise KeyboardInterrupt


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    stopped = fresh(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt), stopped as partial:
        interrupt_after((partial / MANIFEST).touch())
    assert list(tmp_path.iterdir()) == []
    with fresh(tmp_path / "out") as partial:
        (partial / MANIFEST).touch()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_a_record_is_replaced_and_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="holds no manifest"), fresh(tmp_path, force=True):
        pass
    (tmp_path / MANIFEST).touch()
    with pytest.raises(FileExistsError, match="exists already"), fresh(tmp_path):
        pass
    with fresh(tmp_path, force=True) as partial:
        (partial / "new").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_link_is_followed_and_a_partial_of_the_same_process_is_no_hindrance(
    tmp_path: Path,
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    with fresh(tmp_path / "link") as one, fresh(tmp_path / "deep" / "other") as other:
        assert one != other
        (one / MANIFEST).write_text("1")
        (other / MANIFEST).write_text("1")
    with fresh(tmp_path / "link", force=True) as partial, fresh(tmp_path / "new") as _:
        (partial / MANIFEST).write_text("2")
    assert (tmp_path / "deep" / "real" / MANIFEST).read_text() == "2"
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["other", "real"]


def test_a_whole_result_is_kept_though_another_came_first(tmp_path: Path) -> None:
    def late() -> None:
        with fresh(tmp_path / "out") as partial:
            (partial / MANIFEST).write_text("late")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "notes").write_text("of another")

    with pytest.raises(OSError, match="is in the way; the result is whole") as raised:
        late()
    (kept,) = (path for path in tmp_path.iterdir() if path.name.startswith(".out.partial-"))
    assert (kept / MANIFEST).read_text() == "late"
    assert str(kept) in str(raised.value)


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"no room left for .*out"),
        fresh(tmp_path / "out"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_a_replaced_folder_survives_a_failure(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).touch()
    with pytest.raises(ZeroDivisionError), fresh(tmp_path, force=True):
        raise ZeroDivisionError
    assert (tmp_path / MANIFEST).exists()


def test_a_file_is_not_written_over_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "page.html"
    written(path, b"one")
    with pytest.raises(FileExistsError, match="--force"):
        written(path, b"two")
    written(path, b"three", force=True)
    assert path.read_bytes() == b"three"
    assert [found.name for found in path.parent.iterdir()] == ["page.html"]


def test_a_study_is_of_one_batch(named: Classifier, batch: Batch) -> None:
    one, other = (explain(bright, named, batch.at(torch.tensor([row]))) for row in (0, 1))
    with pytest.raises(ValueError, match="are of one batch"):
        Study(one, other)
