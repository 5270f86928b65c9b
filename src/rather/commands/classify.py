"""`rather classify`: what the classifier says of photos."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from rather.commands import options
from rather.commands.console import bar, doubted, emit, guarded, named, out


@guarded
def classify(
    images: options.Images,
    classifier: options.Classifier = options.CLASSIFIER,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 5,
    device: options.Device = "auto",
    engine: options.Engine = "torch",
    size: options.Size = None,
    white: options.White = None,
    json: options.Json = False,
) -> int:
    """Say what the classifier sees in photos."""
    from rather.commands import asking
    from rather.progress import track

    with bar():
        asked = asking.classifier(classifier, device, engine, size, white)
        photos = asking.photos(images, asked)
        found: list[dict[str, Any]] = []
        for batch in track(photos, "photos"):
            logits = asked(batch.images.to(asked.device))
            pairs = zip(batch.names, logits, strict=True)
            found += [{"image": name, "best": asking.best(asked, row, top)} for name, row in pairs]
    doubted(photos.doubtful)
    failed = asking.failures(photos)
    if json:
        emit({"classifier": asked.name, "images": found, "failed": failed})
    else:
        for one in found:
            out.print(one["image"], markup=False, soft_wrap=True)
            out.print(likeliest(one["best"]))
    return named(failed)


def likeliest(best: list[dict[str, Any]]) -> Table:
    """The likeliest classes as a table."""
    from rather.report.words import percent

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("probability", justify="right")
    table.add_column("class")
    table.add_column("number", justify="right")
    for one in best:
        table.add_row(percent(one["probability"]), escape(one["name"]), str(one["class"]))
    return table
