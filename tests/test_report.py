"""The page and the figures: whole, escaped, honest about signs and scale."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rather import Batch, Classifier, Explanation, Question, Study, contrast, explain
from rather.explainers import Bbmp, Fido, GradCam, Ltx, Occlusion
from rather.infillers import Constant
from rather.report import colours, figures, page, pages, sheet
from rather.report.figures import mapped, scale_of
from rather.report.markup import Markup, tag
from rather.report.sheet import in_rows
from rather.report.words import percent
from rather.study import infiller_of, kept

ASKED = Question(torch.tensor([0, 1]), torch.tensor([1, 0]))


@pytest.fixture
def study(convolutional: Classifier, batch: Batch) -> Study:
    convolutional.names = ("cat, tom", "<b>dog</b>")
    evil = Batch(batch.images, batch.labels, ('<script>alert("x")</script>', "a&b"))
    return contrast(Occlusion(Constant(0.25), size=4, stride=4), convolutional, evil, ASKED)


class Elements(HTMLParser):
    """Elements with their attributes, and the text between them; unclosed ones are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(text: str) -> Elements:
    elements = Elements()
    elements.feed(text)
    assert elements.open == []
    return elements


def test_the_page_needs_nothing_from_outside(study: Study) -> None:
    elements = parsed(page([study]))
    names = {name for name, _ in elements.found}
    assert not names & {"script", "link", "iframe", "object", "form"}
    for name, attributes in elements.found:
        assert str(attributes.get("src", "data:")).startswith("data:image/") or name != "img"
        assert str(attributes.get("href", "#")).startswith("#")
        assert not any(key.startswith("on") for key in attributes)
    assert "url(" not in page([study])
    assert "@import" not in page([study])


def test_what_users_named_is_escaped(study: Study) -> None:
    text = page([study])
    assert "<script" not in text
    assert "<b>dog" not in text
    words = "".join(parsed(text).words)
    assert '<script>alert("x")</script>' in words
    assert "Why <b>dog</b>, rather than cat?" in words


def test_every_picture_is_described_and_every_link_arrives(study: Study) -> None:
    elements = parsed(page([study, study]))
    pictures = [attributes for name, attributes in elements.found if name == "img"]
    assert len(pictures) == 4 * (
        1 + 4 + 1 + 4 + 2
    )  # thumbnail, image and maps, scale, trials, regions
    assert sum(not attributes["alt"] for attributes in pictures) == 4  # thumbnails beside names
    ids = {f"#{attributes['id']}" for _, attributes in elements.found if "id" in attributes}
    links = {attributes["href"] for name, attributes in elements.found if name == "a"}
    assert links == ids
    assert len(links) == 4
    levels = [name for name, _ in elements.found if name in ("h1", "h2", "h3")]
    assert levels == ["h1"] + 4 * ["h2", "h3", "h3", "h3", "h3", "h3"]


def test_more_images_than_a_page_holds_get_several_and_an_index(study: Study) -> None:
    made = dict(pages([study, study, study], "report", each=4))
    assert list(made) == ["report-001.html", "report-002.html", "report.html"]
    found = {name: parsed(text).found for name, text in made.items()}
    ids = {
        f"{name}#{attributes['id']}"
        for name, elements in found.items()
        for _, attributes in elements
        if "id" in attributes
    }
    links = [attributes["href"] for name, attributes in found["report.html"] if name == "a"]
    assert len(links) == 6
    assert set(links) == ids
    for name in ("report-001.html", "report-002.html"):
        back = [attributes["href"] for tag, attributes in found[name] if tag == "a"]
        assert back[0] == "report.html"
        assert {f"{name}{link}" for link in back[1:]} == {one for one in ids if name in one}
    assert "6 images explained" in parsed(made["report.html"]).words


def test_as_many_images_as_a_page_holds_are_one_page(study: Study) -> None:
    assert list(pages([study, study], "report", each=4)) == [("report.html", page([study, study]))]
    with pytest.raises(ValueError, match="at least one image"):
        list(pages([], "report"))


def test_a_page_of_one_image_has_its_question_as_title(study: Study) -> None:
    one = contrast_of(study, 0)
    words = parsed(page([one])).words
    assert words.count("Why cat, rather than <b>dog</b>?") == 2  # title and heading
    assert "nav" not in {name for name, _ in parsed(page([one])).found}


def contrast_of(study: Study, row: int) -> Study:
    """The answer of one image alone, without trials."""
    rows, answer = torch.tensor([row]), study.answer
    return Study(
        Explanation(
            answer.batch.at(rows),
            answer.question.at(rows),
            answer.logits[rows],
            answer.heatmaps[rows],
            answer.explainer,
            answer.classifier,
            answer.classes,
        )
    )


def test_the_page_says_what_was_done(study: Study) -> None:
    words = " ".join(parsed(page([study])).words)
    assert repr(study.answer.explainer) in words
    assert f"{study.cost.forward} forward, 0 forward and backward, for 2 images together" in words
    assert f"torch {torch.__version__.split('+')[0]}" in words
    assert "Without the 20% that speak most for cat" in words


def test_probabilities_before_and_after_stand_beside_their_pictures(study: Study) -> None:
    text = page([study])
    for logits in (study.answer.logits, *(part.logits for part in study.removals)):
        share = float(ASKED.probability(logits)[0])
        assert f"cat {percent(share)}" in text
        assert f"width:{share:.1%}" in text


def test_the_smallest_regions_stand_with_what_they_do(study: Study) -> None:
    words = " ".join(parsed(page([study])).words)
    kinds = [region.kind for region in study.regions]
    assert kinds == ["kept", "removed"]
    for region in study.regions:
        for row in range(2):
            area = float(region.area[row])
            share = f"best-rated {percent(area)} of the image"
            assert share in words or not area or not bool(region.found[row])
    assert "How little decides it?" in words


def test_a_method_without_infill_gets_no_trials(convolutional: Classifier, batch: Batch) -> None:
    study = contrast(GradCam("0"), convolutional, batch)
    assert infiller_of(GradCam("0")) is None
    assert study.removals == ()
    assert [figure.key for figure in figures(study, 0)] == ["photo", "answer"]
    assert "Does the answer hold?" not in page([study])


def test_an_empty_page_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        page([])


def test_trials_remove_what_they_say(convolutional: Classifier, batch: Batch) -> None:
    study = contrast(Occlusion(Constant(0.25), size=4, stride=4), convolutional, batch, ASKED)
    heat, images = study.answer.heatmaps, batch.images
    for removal in study.removals:
        keep = kept(study.answer, removal.part, 0.2)[:, 0].bool()
        gone = (13 if removal.part != "rest" else 64 - 13) / 64
        assert (~keep).float().mean((1, 2)).tolist() == [gone, gone]
        same = (removal.images == images).all(1)
        assert torch.equal(same, keep)
        assert (removal.images[:, 0][~keep] == 0.25).all()
        torch.testing.assert_close(removal.logits, convolutional(removal.images).detach())
    most, least, rest = (kept(study.answer, part.part, 0.2)[:, 0].bool() for part in study.removals)
    assert torch.equal(rest, ~most)
    for row in range(2):
        assert heat[row][~most[row]].min() >= heat[row][most[row]].max()
        assert heat[row][~least[row]].max() <= heat[row][least[row]].min()


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_that_removes_nothing_or_all_is_refused(
    share: float, linear: Classifier, batch: Batch
) -> None:
    with pytest.raises(ValueError, match="share is"):
        contrast(Occlusion(size=4, stride=4), linear, batch, share=share)


def test_orange_leans_to_the_target_and_blue_to_the_foil() -> None:
    image = torch.full((3, 4, 4), 0.5)
    for sign, (red, blue) in {1.0: (0, 2), -1.0: (2, 0)}.items():
        pixels = np.asarray(mapped(torch.full((4, 4), sign), image, 1.0), dtype=int)
        assert (pixels[..., red] > pixels[..., blue] + 40).all()


def test_nothing_is_painted_where_the_map_is_zero() -> None:
    photo = np.random.default_rng(0).random((4, 4, 3))
    grey = colours.overlay(np.zeros((4, 4)), photo)
    assert (grey == grey[..., :1]).all()
    assert np.ptp(grey) > 20  # the photo can still be seen


def test_strength_grows_with_the_rating_and_is_even_on_both_sides() -> None:
    values = np.linspace(0, 1, 21)[None]
    assert (np.diff(colours.cover(values)) > 0).all()
    weights = np.array([0.2126, 0.7152, 0.0722])
    up, down = ((colours.diverging(sign * values) ** 2.2) @ weights for sign in (1, -1))
    assert (np.diff(up) <= 0).all()
    assert (np.diff(down) <= 0).all()
    assert np.abs(up[0, ::10] ** 0.4 - down[0, ::10] ** 0.4).max() < 0.12


def test_all_maps_of_an_image_share_one_scale(study: Study) -> None:
    largest = max(part.heatmaps[0].abs().max() for part in study.explanations().values())
    assert scale_of(study, 0) == pytest.approx(float(largest))
    wide = Study(
        study.answer, study.target, replace(study.answer, heatmaps=10 * study.answer.heatmaps)
    )
    assert scale_of(wide, 0) == pytest.approx(10 * float(study.answer.heatmaps[0].abs().max()))


def test_a_map_of_nothing_but_zeros_has_a_scale(linear: Classifier, batch: Batch) -> None:
    nothing = explain(lambda *given: torch.zeros_like(given[1][:, 0]), linear, batch)
    assert scale_of(Study(nothing), 0) == 1
    assert len(figures(Study(nothing), 0)) == 2


def test_figures_are_pictures_that_can_be_saved(study: Study, tmp_path: Path) -> None:
    made = figures(study, 1)
    assert [figure.key for figure in made] == [
        "photo",
        "target",
        "foil",
        "answer",
        "without-most",
        "without-least",
        "without-rest",
        "region-kept",
        "region-removed",
    ]
    for figure in made:
        figure.picture.save(tmp_path / f"{figure.key}.png")
        with Image.open(tmp_path / f"{figure.key}.png") as found:
            assert found.size == (440, 440)


def test_markup_escapes_text_and_attributes_but_not_itself() -> None:
    made = tag("p", "<", tag("i", "&"), Markup("<hr>"), title='"', aria_label="x", class_="y")
    assert made.html == '<p title="&quot;" aria-label="x" class="y">&lt;<i>&amp;</i><hr></p>'


def test_a_sheet_holds_every_picture_under_its_name() -> None:
    made = {name: Image.new("RGB", (4, 8), name) for name in ("red", "lime", "blue")}
    drawn = sheet(in_rows(made, 2), side=40)
    assert drawn.size == (2 * 48 + 8, 2 * 68 + 8)
    colours_seen = {colour for _, colour in drawn.getcolors(10_000) or []}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= colours_seen
    with pytest.raises(ValueError, match="at least one picture"):
        sheet([])


def test_percentages_never_round_to_certainty() -> None:
    found = {percent(share) for share in np.linspace(1e-6, 1 - 1e-6, 5000).tolist()}
    assert not found & {"0%", "100%", "0.0%", "100.0%"}
    assert all(re.fullmatch(r"([<>] )?[\d.]+%", word) for word in found)


def test_what_plays_no_part_in_a_region_is_grey(linear: Classifier, batch: Batch) -> None:
    method = Fido(Constant(0.5), cell=1, levels=1, steps=2, warmup=1)
    study = contrast(method, linear, batch, regions=False)
    assert (study.answer.evidence == study.answer.heatmaps + 0.5).all()
    assert study.answer.evidence.min() >= 0
    assert scale_of(study, 0) <= 1
    bare = contrast(Occlusion(Constant(0.5), size=4, stride=4), linear, batch, regions=False)
    assert torch.equal(bare.answer.evidence, bare.answer.heatmaps)


def test_a_page_says_that_a_mask_came_to_nothing(study: Study) -> None:
    said = "The method chose no part of the image"
    answer = contrast_of(study, 0).answer
    masks = {  # the most that any pixel is worth: whether the page says that it is nothing
        (Fido(), -0.1): True,
        (Fido(), 0.1): False,
        (Bbmp(), 0.0): True,
        (Ltx("any"), 0.0): True,
        (answer.explainer, -0.1): False,  # rates, and chooses nothing
    }
    for (method, most), told in masks.items():
        heat = torch.full_like(answer.heatmaps, -0.5).index_fill_(1, torch.tensor(3), most)
        made = Study(replace(answer, explainer=method, heatmaps=heat))
        assert made.answer.empty.tolist() == [told]
        assert (said in " ".join(parsed(page([made])).words)) == told
