"""Self-contained HTML pages: they fetch nothing, run nothing, and print well."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import chain, islice

from PIL import Image

from rather.report import words
from rather.report.case import article
from rather.report.figures import shown
from rather.report.markup import Markup, picture, tag, together
from rather.study import Study

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


NOTHING = Markup("")
EACH = 40  # images on a page that a browser opens at once: some 18 MB


@dataclass(frozen=True)
class Link:
    """What an index shows of an image: its question, its name, itself, and where more stands."""

    question: str
    name: str
    thumbnail: Markup
    href: str = ""


@dataclass(frozen=True)
class Entry:
    """What the page keeps of an image once its section is made."""

    link: Link
    section: Markup


def page(studies: Iterable[Study]) -> str:
    """Make a page of studies, which are looked at one by one; many images get an index."""
    return _page(list(_entries(studies)))


def pages(studies: Iterable[Study], stem: str, each: int = EACH) -> Iterator[tuple[str, str]]:
    """Make as many pages as the images need, as (file name, page); only one is held at a time.

    More images than `each` get several pages, and an index in place of the page.
    """
    entries = _entries(studies)
    parts = iter(lambda: list(islice(entries, each)), [])
    first, second = next(parts, []), next(parts, [])
    index = f"{stem}.html"
    if not second:
        yield index, _page(first)
        return
    links: list[Link] = []
    for number, part in enumerate(chain((first, second), parts), start=1):
        file = f"{stem}-{number:03}.html"
        links += [
            replace(entry.link, href=f"{file}#image-{place}") for place, entry in enumerate(part)
        ]
        yield file, _page(part, tag("p", tag("a", "All images", href=index), class_="soft"))
    title = _title(links)
    yield index, document(title, tag("header", tag("h1", title), _index(links)))


def _page(entries: list[Entry], above: Markup = NOTHING) -> str:
    if not entries:
        raise ValueError("a page needs at least one image; the record holds none")
    links = [replace(entry.link, href=f"#image-{number}") for number, entry in enumerate(entries)]
    title = _title(links)
    head = [tag("h1", title)] if len(links) == 1 else [tag("h1", title), _index(links)]
    sections = [_section(entry, number, len(entries)) for number, entry in enumerate(entries)]
    return document(title, tag("header", above, *head), tag("main", *sections))


def _entries(studies: Iterable[Study]) -> Iterator[Entry]:
    for study in studies:
        for row in range(len(study.answer.batch.names)):
            yield _entry(study, row)


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
    return Entry(Link(question, name, picture(small, "")), article(study, row))


def _title(links: list[Link]) -> str:
    questions = {link.question for link in links}
    if len(questions) == 1:
        return links[0].question
    return f"{len(links)} images explained"


def _index(links: list[Link]) -> Markup:
    shown = [
        tag("a", link.thumbnail, tag("b", link.name), link.question, href=link.href)
        for link in links
    ]
    return tag("nav", *shown, aria_label="Images")


def _section(entry: Entry, number: int, count: int) -> Markup:
    name = tag("p", entry.link.name, class_="soft name")
    title = together() if count == 1 else tag("h2", entry.link.question)
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
