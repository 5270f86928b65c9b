"""`rather demo`: a real photo, a real classifier, one question."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from rather.commands import options
from rather.commands.classify import likeliest
from rather.commands.console import OK, bar, emit, guarded, out
from rather.commands.explain import show

TARGET, FOIL = "tabby", "Egyptian cat"


@guarded
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the result.")] = Path("demo"),
    by: options.By = options.BY,
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Explain the photo of a cat that scikit-image ships: why tabby, rather than Egyptian cat?"""
    from rather.commands import asking, explaining

    with bar(), as_file(files("skimage.data") / "chelsea.png") as cat:
        asked = asking.classifier(options.CLASSIFIER)
        ask = explaining.Ask(asked, asking.explainer(by), TARGET, FOIL, 0.2)
        found = explaining.explained(ask, asking.photos([cat], asked), folder, force)
    if json:
        emit(explaining.summary(found, folder, []))
        return OK
    out.print(likeliest(found[0].best))
    show(explaining.lines(found, folder))
    return OK
