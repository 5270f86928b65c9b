"""One self-contained HTML page: it fetches nothing, runs nothing, and prints well."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from PIL import Image

from rather.report import words
from rather.report.case import article
from rather.report.figures import shown
from rather.report.markup import Markup, picture, tag, together
from rather.study import Study

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Entry:
    """What the page keeps of an image once its section is made."""

    question: str
    name: str
    thumbnail: Markup
    section: Markup


def page(studies: Iterable[Study]) -> str:
    """Make a page of studies, which are looked at one by one; many images get an index."""
    entries = [
        _entry(study, row) for study in studies for row in range(len(study.answer.batch.names))
    ]
    if not entries:
        raise ValueError("a page needs at least one image; the record holds none")
    title = _title(entries)
    head = [tag("h1", title)] if len(entries) == 1 else [tag("h1", title), _index(entries)]
    sections = [_section(entry, number, len(entries)) for number, entry in enumerate(entries)]
    return document(title, tag("header", *head), tag("main", *sections))


def document(title: str, *parts: Markup) -> str:
    """A whole page of its parts, which fetches nothing."""
    body = tag("body", *parts, tag("footer", "Made by rather, offline."))
    return "<!doctype html>\n" + tag("html", _head(title), body, lang="en-GB").html + "\n"


def _entry(study: Study, row: int) -> Entry:
    answer = study.answer
    name = answer.batch.names[row]
    small = shown(answer.batch.images[row])
    small.thumbnail((180, 180), Image.Resampling.LANCZOS)
    question = words.why(*words.asked(answer.question, row, answer.classes))
    return Entry(question, name, picture(small, ""), article(study, row))


def _title(entries: list[Entry]) -> str:
    questions = {entry.question for entry in entries}
    if len(questions) == 1:
        return entries[0].question
    return f"{len(entries)} images explained"


def _index(entries: list[Entry]) -> Markup:
    links = [
        tag("a", entry.thumbnail, tag("b", entry.name), entry.question, href=f"#image-{number}")
        for number, entry in enumerate(entries)
    ]
    return tag("nav", *links, aria_label="Images")


def _section(entry: Entry, number: int, count: int) -> Markup:
    name = tag("p", entry.name, class_="soft name")
    title = together() if count == 1 else tag("h2", entry.question)
    return tag("article", title, name, entry.section, id=f"image-{number}")


def _head(title: str) -> Markup:
    style = files("rather.report").joinpath("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        tag("style", Markup(style)),
    )
