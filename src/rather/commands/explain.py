"""`rather explain`: why this class, rather than that one?"""

from pathlib import Path
from typing import Annotated

import typer

from rather.commands import options
from rather.commands.console import bar, doubted, emit, guarded, named, out

Out = Annotated[Path, typer.Option(help="Folder for the record, the figures and report.html.")]
Figures = Annotated[
    bool, typer.Option(help="Whether each figure is a PNG as well: some 2 MB a photo.")
]


@guarded
def explain(
    images: options.Images,
    target: options.Target = None,
    rather_than: options.Foil = None,
    by: options.By = options.BY,
    infiller: options.Infiller = None,
    classifier: options.Classifier = options.CLASSIFIER,
    device: options.Device = "auto",
    engine: options.Engine = "torch",
    seed: options.Seed = None,
    batch: options.Variants = None,
    size: options.Size = None,
    white: options.White = None,
    share: options.Share = 0.2,
    figures: Figures = True,
    out: Out = Path("out"),
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Explain photos: which parts speak for the target, rather than the foil?"""
    from rather.commands import asking, explaining

    with bar():
        method = asking.explainer(
            by, infiller=infiller and asking.infiller(infiller), seed=seed, batch=batch
        )
        asked = asking.classifier(classifier, device, engine, size, white)
        method = asking.suited(method, by, asked.view)
        photos = asking.few(images, asked, batch)
        ask = explaining.Ask(asked, method, target, rather_than, share)
        found = explaining.explained(ask, photos, out, force, figures)
    doubted(photos.doubtful)
    failed = asking.failures(photos)
    if json:
        emit(explaining.summary(found, out, failed))
    else:
        show(explaining.lines(found, out))
    return named(failed)


def show(lines: list[str]) -> None:
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
