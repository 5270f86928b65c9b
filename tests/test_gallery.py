"""The gallery of class pairs, the counterfactual in records and pages, and `rather edit`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli import Run, photo, run
from test_report import parsed

from rather import Batch, Classifier, Question, contrast, explain, record
from rather.editors import PixelAscent
from rather.explainers import IntegratedGradients, Residual
from rather.infillers import Edited
from rather.metrics import Hybrids
from rather.metrics.hybrids import HybridCurves
from rather.report import figures, gallery, page
from rather.report.plot import plot
from rather.report.words import flipped

__all__ = ["run"]  # the fixture
EDITOR = PixelAscent(steps=60, rate=0.05, halvings=1)
ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


@pytest.fixture
def named(convolutional: Classifier) -> Classifier:
    convolutional.names = ("cat, tom", "<b>dog</b>")
    return convolutional


@pytest.fixture
def results(named: Classifier, batch: Batch) -> list[HybridCurves]:
    evil = Batch(batch.images, batch.labels, ("<script>x</script>", "a&b"))
    methods = [IntegratedGradients(Edited(EDITOR), steps=4, limit=4), Residual(Edited(EDITOR))]
    return [Hybrids(steps=12)(named, explain(method, named, evil, ASKED)) for method in methods]


def test_a_gallery_shows_every_pair_image_and_method(results: list[HybridCurves]) -> None:
    text = gallery(results)
    elements = parsed(text)
    levels = [name for name, _ in elements.found if name in ("h1", "h2", "h3")]
    assert levels == ["h1", "h2", "h3", "h2", "h3"]  # two questions, one image each
    pictures = [given for name, given in elements.found if name == "img"]
    assert len(pictures) == 2 * (2 + 2 * 3)  # image and edit; map, paste and hybrid of each method
    assert all(given["alt"] for given in pictures)
    assert sum(name == "polyline" for name, _ in elements.found) == 2 * 2
    words = "".join(elements.words)
    assert "cat, rather than <b>dog</b>" in words
    assert "<script>x</script>" in words
    assert "<script" not in text
    for result in results:
        assert repr(result.explanation.explainer) in words


def test_a_gallery_needs_nothing_from_outside(results: list[HybridCurves]) -> None:
    elements = parsed(gallery(results))
    for name, given in elements.found:
        assert name not in ("script", "link", "iframe", "object", "form", "use")
        assert str(given.get("src", "data:")).startswith("data:image/") or name != "img"
        assert "href" not in given
    with pytest.raises(ValueError, match="a gallery needs at least one image"):
        gallery([])


def test_a_gallery_says_what_flips_and_what_does_not(results: list[HybridCurves]) -> None:
    words = " ".join(parsed(gallery(results)).words)
    for result in results:
        for row in (0, 1):
            assert flipped(result.pair, row, result.explanation.classes) in words
    count = int(results[0].pair.flipped[:1].sum())
    assert f"{count} of 1" in words
    assert "pasted into the edit, makes the answer cat." in words or "No hybrid" in words


def test_curves_are_drawn_where_their_points_are() -> None:
    points = [(0.0, 0.0), (0.5, 1.0), (1.0, 0.5), (1.2, 0.0)]
    drawn = parsed(plot({"one": points}, "x", "y").html)
    (line,) = [given["points"] for name, given in drawn.found if name == "polyline"]
    assert line == "34.0,204.0 194.0,4.0 354.0,104.0"  # what leaves the range is cut
    with pytest.raises(ValueError, match="at least one curve"):
        plot({}, "x", "y")


def test_a_page_shows_what_the_image_was_compared_with(named: Classifier, batch: Batch) -> None:
    study = contrast(
        IntegratedGradients(Edited(EDITOR), steps=4, limit=4), named, batch, ASKED, regions=False
    )
    text = page([study])
    pair = study.answer.counterfactual
    assert pair is not None
    words = " ".join(parsed(text).words)
    assert words.count("What it was compared with") == 2
    assert flipped(pair, 1, named.names) in words
    keys = [figure.key for figure in figures(study, 0)]
    assert keys[:6] == ["photo", "target", "foil", "answer", "edited", "change"]
    bare = contrast(IntegratedGradients(steps=4), named, batch, ASKED, regions=False)
    assert "What it was compared with" not in page([bare])


def test_a_record_keeps_the_counterfactual(named: Classifier, batch: Batch, tmp_path: Path) -> None:
    explainer = IntegratedGradients(Edited(EDITOR), steps=4, limit=4)
    study = contrast(explainer, named, batch, ASKED, regions=False)
    record.write([study], tmp_path)
    (found,) = record.read(tmp_path)
    pair, kept = study.answer.counterfactual, found.answer.counterfactual
    assert pair is not None
    assert kept is not None
    for name in ("images", "edited", "target", "before", "after"):
        assert torch.equal(getattr(pair, name), getattr(kept, name)), name
    assert kept.editor == EDITOR
    assert found.answer.explainer == explainer
    again = found.answer.ran(named, batch.images, ASKED)
    torch.testing.assert_close(again, found.answer.heatmaps)
    assert found.target is not None
    assert found.target.counterfactual is None
    assert page([found]) == page([study])


ASCENT = "PixelAscent(steps=150, rate=0.05)"


def test_explain_shows_the_counterfactual_and_the_hybrids(run: Run, tmp_path: Path) -> None:
    cat = photo(tmp_path / "cat.png", (200, 120, 40))
    by = f"IntegratedGradients(baseline=Edited({ASCENT}), steps=4, limit=4)"
    line = ("--by", by, "--target", "tabby", "--rather-than", "dog", "--json")
    code, said, wrong = run("explain", cat, *line)
    assert (code, wrong) == (0, "")
    (image,) = json.loads(said)["images"]
    assert image["counterfactual"]["flipped"] in (True, False)
    assert image["counterfactual"]["says"].startswith("The edit ")
    assert "What it was compared with" in Path("out/report.html").read_text()
    assert "tabby, rather than dog" in Path("out/gallery.html").read_text()
    (study,) = record.read(Path("out"))
    assert study.answer.counterfactual is not None
    code, said, _ = run("explain", cat, *line[:-1], "--force")
    assert image["counterfactual"]["says"] in said
    assert f"hybrids: {tmp_path / 'out' / 'gallery.html'}" in said
    code, _, wrong = run("explain", cat, "--by", by, "--out", "other")
    assert code == 1
    assert "--rather-than CLASS" in wrong
    assert wrong.count("\n") == 1


def test_edit_writes_images_a_sheet_and_the_answers(run: Run, tmp_path: Path) -> None:
    folder = photo(tmp_path / "photos" / "one.png", (200, 120, 40)).parent
    photo(folder / "two.png", (20, 120, 140))
    (folder / "bad.png").write_bytes(b"no image")
    code, said, wrong = run("edit", folder, "--editor", ASCENT, "--to", "dog", "--json")
    assert code == 3
    assert "bad.png: it is no image" in wrong
    found = json.loads(said)
    assert [image["image"] for image in found["images"]] == ["one", "two"]
    assert found["flipped"] == sum(image["flipped"] for image in found["images"])
    for image in found["images"]:
        assert image["target"] == 2
        assert (image["after"][0]["class"] == 2) == image["flipped"]
        assert image["before"][0]["probability"] <= 1
        with Image.open(Path("edits") / image["file"]) as edited:
            assert edited.size == (16, 16)
            colours = np.asarray(edited)
        assert colours.std(0).std(0).shape == (3,)
    assert {path.name for path in Path("edits").iterdir()} == {
        "001-one.png",
        "002-two.png",
        "edits.json",
        "sheet.png",
    }
    manifest = json.loads(Path("edits/edits.json").read_text())
    assert (manifest["classifier"], manifest["images"]) == ("toy", found["images"])
    assert run("edit", folder, "--to", "dog")[0] == 1  # exists already
    code, said, _ = run("edit", folder, "--editor", ASCENT, "--to", "dog", "--force")
    assert f"images: {tmp_path / 'edits'}" in said
    assert f"{found['flipped']} of 2 flipped" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--editor", "GradCam", "--to", "dog"), "--editor 'GradCam' is no editor; there are "),
        (("--editor", "Ascent", "--to", "dog"), "no method is called 'Ascent'"),
        (("--to", "cow"), "cow"),
    ],
)
def test_edit_says_in_one_line_what_is_wrong(
    words: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    cat = photo(tmp_path / "cat.png", (200, 120, 40))
    code, said, wrong = run("edit", cat, *words)
    assert (code, said) == (1, "")
    assert message in wrong
    assert wrong.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cat.png"]


def test_an_edit_that_changes_nothing_says_why_it_fails(run: Run, tmp_path: Path) -> None:
    cat = photo(tmp_path / "cat.png", (200, 120, 40))
    best = json.loads(run("classify", cat, "--json")[1])["images"][0]["best"]
    code, said, _ = run("edit", cat, "--editor", "PixelAscent(steps=0)", "--to", best[-1]["class"])
    assert code == 0
    assert f"The edit fails: the answer is {best[0]['name']}" in said
    assert "0 of 1 flipped" in said
