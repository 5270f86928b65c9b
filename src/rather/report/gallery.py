"""A gallery of class pairs: originals, counterfactuals, hybrids and curves on one page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image

from rather.metrics.hybrids import HybridCurves
from rather.report import words
from rather.report.figures import mapped, shown
from rather.report.markup import Markup, picture, tag, together
from rather.report.page import document
from rather.report.plot import plot

CLIPPED = 0.995  # share of a map's pixels that lies within the scale
Asked: TypeAlias = tuple[str, str]  # target and foil, by name


@dataclass(frozen=True, eq=False)
class Shown:
    """One image under one method."""

    curves: HybridCurves
    row: int

    @property
    def asked(self) -> Asked:
        answer = self.curves.explanation
        target, foil = words.asked(answer.question, self.row, answer.classes)
        return target, str(foil)

    @property
    def name(self) -> str:
        return self.curves.explanation.batch.names[self.row]

    @property
    def method(self) -> str:
        return words.short(self.curves.explanation.explainer)

    @property
    def settings(self) -> str:
        return f"{self.curves.explanation.explainer!r}, {self.curves.settings!r}"


def gallery(results: Iterable[HybridCurves]) -> str:
    """Make a page of hybrid curves, by pairs of classes and, within them, by images.

    Args:
        results: of one method or of several, which are drawn into one plot where they are of one
            image; what `Hybrids` returns.

    Raises:
        ValueError: there is none.
    """
    every = [Shown(each, row) for each in results for row in range(len(each.score))]
    if not every:
        raise ValueError("a gallery needs at least one image; the results hold none")
    pairs = {one.asked: [other for other in every if other.asked == one.asked] for one in every}
    title = "Counterfactuals and hybrids"
    sections = [_pair(asked, found) for asked, found in pairs.items()]
    about = (
        "The best-rated part of one image is pasted into the other, from a little to all of it. "
        "A map is right if a small part takes most of the answer along."
    )
    head = tag("header", tag("h1", title), tag("p", about, class_="soft"))
    return document(title, head, tag("main", *sections))


def _pair(asked: Asked, found: list[Shown]) -> Markup:
    images = {one.name: [other for other in found if other.name == one.name] for one in found}
    target, foil = asked
    heading = tag("h2", f"{target}, rather than {foil}")
    rows = [_image(name, ways) for name, ways in images.items()]
    return tag("article", heading, _summary(found), *rows)


def _summary(found: list[Shown]) -> Markup:
    """How many edits flip, and the mean score of each method."""
    methods = dict.fromkeys(one.method for one in found)
    lines = [tag("tr", *(tag("th", word, scope="col") for word in HEADINGS))]
    for method in methods:
        own = [one for one in found if one.method == method]
        flips = [float(one.curves.pair.flipped[one.row]) for one in own]
        scores = [float(one.curves.score[one.row]) for one in own]
        known = [score for score in scores if score == score]  # all but NaN
        mean = words.amount(sum(known) / len(known)) if known else "none"
        cells = [f"{sum(flips):.0f} of {len(flips)}", f"{mean} ({len(known)} images)"]
        row = [_method(method, own[0].settings), *(tag("td", each) for each in cells)]
        lines.append(tag("tr", *row))
    return tag("div", tag("table", tag("tbody", *lines)), class_="card")


def _method(name: str, settings: str) -> Markup:
    more = tag("details", tag("summary", "All settings"), tag("code", settings))
    return tag("th", name, more, scope="row")


HEADINGS = ("Method", "Edits that flip", "Mean DAC")


def _image(name: str, ways: list[Shown]) -> Markup:
    """The image and its counterfactual, then map and hybrid of each method, and all curves."""
    first, (target, foil) = ways[0], ways[0].asked
    pair, classes = first.curves.pair, first.curves.explanation.classes
    row = first.row
    sure = words.percent(float(pair.before[row].softmax(0).max()))
    says = words.called(classes, int(pair.before[row].argmax()))
    figures = [
        _figure(shown(pair.images[row]), "The image", f"The answer is {says} ({sure})."),
        _figure(
            shown(pair.edited[row]), f"Edited towards {foil}", words.flipped(pair, row, classes)
        ),
    ]
    scores = [f"DAC {words.amount(float(one.curves.score[one.row]))}" for one in ways]
    names = [f"{one.method}: {score}" for one, score in zip(ways, scores, strict=True)]
    curves = dict(zip(names, map(_points, ways), strict=True))
    figures.append(tag("figure", plot(curves, "share of the image pasted", "gain in probability")))
    methods = [
        together(tag("p", tag("code", label), class_="way"), _way(one, target, foil))
        for label, one in zip(names, ways, strict=True)
    ]
    label = tag("h3", name, class_="name")
    return tag("section", label, tag("div", *figures, class_="row three"), *methods)


def _way(way: Shown, target: str, foil: str) -> Markup:
    """The map of one method, and its smallest hybrid."""
    curves, row = way.curves, way.row
    heat, image = curves.explanation.heatmaps[row], curves.pair.images[row]
    scale = float(heat.abs().flatten().quantile(CLIPPED)) or 1.0
    note = f"Orange: {target} rather than {foil}; blue: the other way round"
    keep = curves.flip.keep[row, 0]
    pasted = keep if curves.settings.direction == "restore" else 1 - keep
    figures = [
        _figure(mapped(heat, image, scale), "The map", note),
        _figure(mapped(pasted, image, 1.0), "What is pasted", _flip(way, target, foil)),
        _figure(shown(curves.flip.images[row]), "The hybrid", _answer(way)),
    ]
    return tag("div", *figures, class_="row three")


def _answer(way: Shown) -> str:
    gain = words.amount(float(way.curves.flip.gain[way.row]))
    return f"It gains {gain} in probability"


def _flip(way: Shown, target: str, foil: str) -> str:
    """What the smallest hybrid takes."""
    flip, row = way.curves.flip, way.row
    restore = way.curves.settings.direction == "restore"
    wanted, into = (target, "the edit") if restore else (foil, "the image")
    if not bool(flip.found[row]):
        return f"No hybrid that was tried has the answer {wanted}."
    size = words.percent(float(flip.size[row]))
    return f"{size}, pasted into {into}, makes the answer {wanted}."


def _points(way: Shown) -> list[tuple[float, float]]:
    sizes, gains = (part[way.row].tolist() for part in (way.curves.sizes, way.curves.gains))
    inner = sorted(zip(sizes, gains, strict=True), key=lambda point: point[0])
    return [(0.0, 0.0), *inner, (1.0, float(way.curves.full[way.row]))]


def _figure(image: Image.Image, title: str, note: str) -> Markup:
    caption = tag("figcaption", tag("b", title), tag("span", note))
    return tag("figure", picture(image, f"{title}. {note}"), caption)
