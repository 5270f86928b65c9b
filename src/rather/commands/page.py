"""`rather page`: records to one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from rather.commands import options
from rather.commands.console import OK, emit, guarded, out

Records = Annotated[list[Path], typer.Argument(help="Folders that `rather explain` wrote.")]


@guarded
def page(
    records: Records,
    file: Annotated[Path, typer.Option("--out", help="The page.")] = Path("page.html"),
    figures: Annotated[Path | None, typer.Option(help="A folder for the figures as PNG.")] = None,
    force: options.Force = False,
    json: options.Json = False,
) -> int:
    """Make one self-contained HTML page of one or more records."""
    from rather import record, report
    from rather.atomic import written
    from rather.commands import explaining

    text = report.page(study for folder in records for study in record.read(folder))
    if figures is not None:
        check_empty(figures, force)
        explaining.draw((study for folder in records for study in record.read(folder)), figures)
    written(file, text.encode(), force)
    if json:
        emit({"page": str(file.resolve())})
    else:
        out.print(f"page: {file.resolve()}", markup=False, soft_wrap=True)
    return OK


def check_empty(folder: Path, force: bool) -> None:
    """Raise a `FileExistsError` where files would be written among, or over, others."""
    if folder.exists() and any(folder.iterdir()) and not force:
        raise FileExistsError(
            f"{folder} holds files already; choose another folder, or write among them with --force"
        )
