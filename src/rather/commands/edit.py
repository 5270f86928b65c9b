"""`rather edit`: what would have made it the other class?"""

from pathlib import Path
from typing import Annotated

import typer

from rather.commands import options
from rather.commands.console import bar, doubted, emit, guarded, named, out

Editor = Annotated[
    str,
    typer.Option(help="What edits, as `rather list` names it: 'PixelAscent(steps=50)'."),
]
To = Annotated[str, typer.Option("--to", help="The class it shall become: name, number or id.")]
Out = Annotated[
    Path, typer.Option("--out", help="Folder for the edited images, sheet.png and edits.json.")
]


@guarded
def edit(
    images: options.Images,
    to: To,
    editor: Editor = "PixelAscent()",
    classifier: options.Classifier = options.CLASSIFIER,
    device: options.Device = "auto",
    engine: options.Engine = "torch",
    size: options.Size = None,
    white: options.White = None,
    folder: Out = Path("edits"),
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Edit photos until the classifier answers another class, and say whether it does.

    What was stopped goes on when the same line is given again.
    """
    from rather.commands import asking, editing

    with bar():
        method = asking.editor(editor)
        asked = asking.classifier(classifier, device, engine, size, white)
        photos = asking.few(images, asked)
        task = editing.Task(asked, method, to)
        found = editing.edited(task, photos, folder, force)
    doubted(photos.doubtful)
    failed = asking.failures(photos)
    if json:
        emit(editing.summary(found, folder, failed))
    else:
        for line in editing.lines(found, folder):
            out.print(line, markup=False, soft_wrap=True)
    return named(failed)
