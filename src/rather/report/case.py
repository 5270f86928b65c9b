"""The section of a page that one image gets."""

from collections.abc import Iterator
from dataclasses import replace

from PIL import Image

from rather.report import colours, words
from rather.report.figures import Figure, counterfactuals, maps, photo, regions, scale_of, trials
from rather.report.markup import Markup, picture, tag, together
from rather.study import Study, infiller_of
from rather.types import Logits

BEST = 5  # classes that the table lists


def article(study: Study, row: int) -> Markup:
    """Everything that the page says of one image, below its heading."""
    return together(
        tag("p", words.answered(study, row), class_="lead"),
        _maps(study, row),
        _edited(study, row),
        _trials(study, row),
        _regions(study, row),
        tag("div", _best(study, row), _making(study, row), class_="sides"),
    )


def _maps(study: Study, row: int) -> Markup:
    target, foil = words.asked(study.answer.question, row, study.answer.classes)
    shown = [_figure(figure) for figure in (photo(study, row), *maps(study, row))]
    row_class = "row" if len(shown) > 2 else "row few"
    reading = tag("p", words.reading(target, foil), class_="soft")
    return tag(
        "section",
        tag("h3", "Which parts speak for what"),
        reading,
        _empty(study, row),
        tag("div", *shown, class_=row_class),
        _scale(target, foil, scale_of(study, row)),
    )


def _empty(study: Study, row: int) -> Markup:
    said = words.empty(study, row)
    return tag("p", said, class_="soft") if said else together()


def _scale(target: str, foil: str | None, scale: float) -> Markup:
    bar = picture(Image.fromarray(colours.bar(600, 12)), "Scale from blue over grey to orange")
    low = f"against {target}" if foil is None else f"for {foil}"
    ends = [
        tag("span", f"\N{MINUS SIGN}{words.amount(scale)} {low}"),
        tag("span", "0"),
        tag("span", f"for {target} +{words.amount(scale)}"),
    ]
    return tag("div", bar, tag("div", *ends), class_="scale")


def _edited(study: Study, row: int) -> Markup:
    pair = study.answer.counterfactual
    if pair is None:
        return together()
    edited, change = counterfactuals(study, row)
    about = (
        "The map compares the image with this one. What it shows is the classifier's reasons only "
        "as far as the edit is a believable image of the other class."
    )
    before = replace(photo(study, row), title="Untouched")
    shown = [
        _figure(before, _odds(study, row, study.answer.logits)),
        _figure(edited, _odds(study, row, pair.after)),
        _figure(change),
    ]
    return tag(
        "section",
        tag("h3", "What it was compared with"),
        tag("p", about, class_="soft"),
        tag("div", *shown, class_="row"),
    )


def _trials(study: Study, row: int) -> Markup:
    pairs = zip(trials(study, row), study.removals, strict=True)
    made = [_figure(figure, _odds(study, row, part.logits)) for figure, part in pairs]
    if not made:
        return together()
    target, _ = words.asked(study.answer.question, row, study.answer.classes)
    about = (
        f"The classifier was asked again with parts filled in. If the map is right, {target} "
        "loses without the parts that speak most for it, and gains without those that speak least."
    )
    before = replace(photo(study, row), title="Untouched")
    return tag(
        "section",
        tag("h3", "Does the answer hold?"),
        tag("p", about, class_="soft"),
        tag("div", _figure(before, _odds(study, row, study.answer.logits)), *made, class_="row"),
    )


def _regions(study: Study, row: int) -> Markup:
    pairs = zip(regions(study, row), study.regions, strict=True)
    made = [_figure(figure, _odds(study, row, part.logits)) for figure, part in pairs]
    if not made:
        return together()
    about = (
        "Parts were kept, or filled in, from the best-rated pixel on. These are the smallest that "
        "decide the answer, among the sizes that were tried."
    )
    title, reading = tag("h3", "How little decides it?"), tag("p", about, class_="soft")
    return tag("section", title, reading, tag("div", *made, class_="row few"))


def _odds(study: Study, row: int, logits: Logits) -> Markup:
    """The probabilities of the image, or of a trial with it."""
    answer = study.answer
    target, foil = words.asked(answer.question, row, answer.classes)
    chances, question = logits[row].softmax(0), answer.question
    share = float(question.probability(logits)[row])
    parts = [_split(share, "target" if foil is None else "two")]
    if foil is not None and question.foil is not None:
        sides = [f"{target} {words.percent(share)}", f"{words.percent(1 - share)} {foil}"]
        parts += [tag("div", *(tag("span", side) for side in sides), class_="odds")]
        of_all = [float(chances[label[row]]) for label in (question.target, question.foil)]
        among = f"Among all classes {words.percent(of_all[0])} and {words.percent(of_all[1])}."
    else:
        parts += [tag("div", tag("span", f"{target} {words.percent(share)}"), class_="odds")]
        among = ""
    best = int(chances.argmax())
    says = f"Answer: {words.called(answer.classes, best)} ({words.percent(float(chances[best]))})."
    return together(*parts, tag("span", f"{among} {says}".strip()))


def _split(share: float, kind: str) -> Markup:
    """A bar; its kind says whose colours it has."""
    inner = tag("i", style=f"width:{share:.1%}")
    return tag("div", inner, class_=f"split {kind}", aria_hidden="true")


def _best(study: Study, row: int) -> Markup:
    answer = study.answer
    chances = answer.logits[row].softmax(0)
    best = chances.topk(min(BEST, len(chances)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    sides = {int(answer.question.target[row]): "target"}
    if answer.question.foil is not None:
        sides |= {int(answer.question.foil[row]): "foil"}
    lines = [
        tag(
            "tr",
            tag(
                "th", words.called(answer.classes, label), scope="row", class_=sides.get(label, "")
            ),
            tag("td", words.percent(chance), class_="number"),
            tag("td", _split(chance, sides.get(label, "other")), class_="bar"),
        )
        for label, chance in pairs
    ]
    title = tag("h3", f"The {len(lines)} likeliest classes")
    return tag("section", title, tag("table", tag("tbody", *lines)), class_="card")


def _making(study: Study, row: int) -> Markup:
    facts = _facts(study, row)
    lines = [part for name, said in facts for part in (tag("dt", name), tag("dd", said))]
    title = tag("h3", "How this was made")
    return tag("section", title, tag("dl", *lines), class_="card")


def _facts(study: Study, row: int) -> Iterator[tuple[str, str | Markup]]:
    answer, cost = study.answer, study.cost
    yield "Classifier", answer.classifier or "without a name"
    yield "Method", tag("code", repr(answer.explainer))
    if (as_in := words.settings(answer.explainer)) is not None:
        yield "Settings", as_in
    yield from ((name, words.amount(float(values[row]))) for name, values in answer.notes.items())
    infiller = study.removals[0].infiller if study.removals else infiller_of(answer.explainer)
    yield "In-fill", tag("code", repr(infiller)) if infiller is not None else "none"
    yield "Seed", "none: nothing is random" if answer.seed is None else str(answer.seed)
    count = len(answer.batch.names)
    images = "for this image" if count == 1 else f"for {count} images together"
    passes = f"{cost.forward:,} forward, {cost.backward:,} forward and backward"
    yield "Passes", f"{passes}, {images}"
    yield "Time", f"{words.duration(cost.seconds)}, {images}"
    yield "Versions", ", ".join(f"{name} {number}" for name, number in answer.versions.items())


def _figure(figure: Figure, *below: Markup) -> Markup:
    note = [tag("span", figure.note)] if figure.note else []
    caption = tag("figcaption", tag("b", figure.title), *note, *below)
    return tag("figure", picture(figure.picture, figure.description), caption)
