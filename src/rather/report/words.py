"""What a report says: questions, answers and numbers in words."""

import math
from dataclasses import MISSING, fields, is_dataclass
from inspect import signature
from typing import Any

from rather.editor import Counterfactual
from rather.question import Question
from rather.region import Region
from rather.study import Part, Study


def percent(share: float) -> str:
    """A probability for people: never 0 or 100 unless it is exactly that.

    >>> percent(0.4321), percent(0.0123), percent(0.0001), percent(0.9999), percent(1.0)
    ('43%', '1.2%', '< 0.1%', '> 99.9%', '100%')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.001 or share > 0.999:
        return "< 0.1%" if share < 0.5 else "> 99.9%"
    return f"{share:.0%}" if 0.0995 <= share <= 0.9905 else f"{share:.1%}"


def amount(value: float) -> str:
    """A number to three digits.

    >>> amount(0.012345), amount(12345.6), amount(0.0)
    ('0.0123', '12346', '0')
    """
    if not value or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def duration(seconds: float) -> str:
    """A time in the unit that fits.

    >>> duration(0.0123), duration(2.34), duration(150.0)
    ('12 ms', '2.3 s', '2 min 30 s')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def asked(question: Question, row: int, classes: tuple[str, ...]) -> tuple[str, str | None]:
    """The names of the target and of the foil, if there is one."""
    foil = None if question.foil is None else called(classes, int(question.foil[row]))
    return called(classes, int(question.target[row])), foil


def called(classes: tuple[str, ...], label: int) -> str:
    """The first of a class's names, or its number where it has none."""
    return classes[label].split(",")[0] if label < len(classes) else f"class {label}"


def why(target: str, foil: str | None) -> str:
    """The question.

    >>> why("tabby", "Egyptian cat"), why("tabby", None)
    ('Why tabby, rather than Egyptian cat?', 'Why tabby?')
    """
    return f"Why {target}?" if foil is None else f"Why {target}, rather than {foil}?"


def answered(study: Study, row: int) -> str:
    """What the classifier says of the image, in a sentence or two."""
    answer, question = study.answer, study.answer.question
    chances = answer.logits[row].softmax(0)
    best = int(chances.argmax())
    says = f"{answer.classifier or 'The classifier'} answers {called(answer.classes, best)}"
    labels = [int(side[row]) for side in (question.target, question.foil) if side is not None]
    others = " and ".join(
        f"{called(answer.classes, label)} {percent(float(chances[label]))}"
        for label in labels
        if label != best
    )
    found = f"{says} ({percent(float(chances[best]))})" + (
        f", and gives {others}." if others else "."
    )
    if len(labels) == 1:
        return found
    share = float(question.probability(answer.logits)[row])
    winner = called(answer.classes, labels[share < 0.5])
    between = (
        f"Between the two alone, it leans towards {winner} ({percent(max(share, 1 - share))})."
    )
    return f"{found} {between}"


def empty(study: Study, row: int) -> str:
    """That the method chose no part of the image, if it did not; else no word."""
    if not bool(study.answer.empty[row]):
        return ""
    return (
        "The method chose no part of the image: none is worth its price, `area`. The map shows "
        "what little each part is worth; a lower price lets it choose."
    )


def settings(method: Any) -> str | None:
    """Whether a method ran as its paper says; no word for a method without a paper's settings.

    >>> from rather.explainers import Fido
    >>> settings(Fido()), settings(Fido.as_published())
    ("the library's own, not the paper's", 'as published')
    """
    make = getattr(type(method), "as_published", None)
    if make is None:
        return None
    given = {name: getattr(method, name) for name in signature(make).parameters}
    free = ("infiller", "seed", "batch")
    theirs = make(**given)
    same = all(
        getattr(theirs, field.name) == getattr(method, field.name)
        for field in fields(method)
        if field.name not in free
    )
    return "as published" if same else "the library's own, not the paper's"


def reading(target: str, foil: str | None) -> str:
    """How to read the maps of an image."""
    if foil is None:
        return f"The stronger the colour, the more a part speaks for {target}, or against it."
    return (
        f"Orange always leans towards {target}, blue towards {foil}; the stronger the colour, the "
        "more. All maps share one scale, in the method's own unit."
    )


def legend(sign: int) -> str:
    """How to read the map of a single class, which is orange (1) or blue (-1) where it speaks."""
    speaks, against = ("Orange", "blue") if sign > 0 else ("Blue", "orange")
    return f"{speaks} speaks for it, {against} against it"


def balance(target: str, foil: str) -> tuple[str, str]:
    """Title and legend of the map of two classes against each other."""
    return "The difference", f"Orange: {target} rather than {foil}; blue: the other way round"


def flipped(pair: Counterfactual, row: int, classes: tuple[str, ...]) -> str:
    """Whether an edit did what it should, by the classifier's own answer, and if not, why not."""
    wanted, chances = int(pair.target[row]), pair.after[row].softmax(0)
    best = int(chances.argmax())
    sure = percent(float(chances[best]))
    if int(pair.before[row].argmax()) == wanted:
        still = "is still" if bool(pair.flipped[row]) else "is no longer"
        return f"It was {called(classes, wanted)} before the edit, and {still}."
    if bool(pair.flipped[row]):
        return f"The edit flips the answer to {called(classes, best)} ({sure})."
    return (
        f"The edit fails: the answer is {called(classes, best)} ({sure}), and "
        f"{called(classes, wanted)} has {percent(float(chances[wanted]))}."
    )


def short(method: Any) -> str:
    """A method by what differs from its defaults.

    >>> from rather.infillers import Blur, Samples
    >>> short(Samples(Blur())), short(Samples(Blur(sigma=2.0), k=8))
    ('Samples(infiller=Blur())', 'Samples(infiller=Blur(sigma=2.0), k=8)')
    """
    if not is_dataclass(method) or isinstance(method, type):
        return repr(method)
    told = [each for each in fields(method) if each.init and each.repr]
    parts = [
        f"{each.name}={short(getattr(method, each.name))}"
        for each in told
        if each.default is MISSING or getattr(method, each.name) != each.default
    ]
    return f"{type(method).__name__}({', '.join(parts)})"


def trial(part: Part, share: float, target: str) -> str:
    """What was done to the image in a trial."""
    some = f"the {percent(share)} that speak"
    return {
        "most": f"Without {some} most for {target}",
        "least": f"Without {some} least for {target}",
        "rest": f"Only {some} most for {target}",
    }[part]


def region(found: Region, row: int) -> str:
    """What a region does, in a sentence."""
    area = float(found.area[row])
    if not bool(found.found[row]):
        return {
            "kept": "No part of this ranking alone gives the answer.",
            "removed": "The answer is not lost without any part of this ranking.",
        }[found.kind]
    if found.kind == "kept":
        if not area:
            return "Nothing need be kept: with all of it filled in, this is the answer too."
        return f"The best-rated {percent(area)} of the image alone give the answer."
    if not area:
        return "Nothing need be removed: this is not the answer to begin with."
    return f"Without the best-rated {percent(area)} of the image the answer is lost."
