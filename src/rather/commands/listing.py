"""`rather list`: every method, with its fields."""

from dataclasses import MISSING, Field, fields
from typing import Any

from rich.markup import escape
from rich.table import Table

from rather.commands import options
from rather.commands.console import OK, emit, guarded, out


@guarded
def listing(json: options.Json = False) -> int:
    """Name every method with its fields, as --by and --infiller read them."""
    from rather import catalogue

    kinds = {
        "explainers": catalogue.EXPLAINERS,
        "infillers": catalogue.INFILLERS,
        "editors": catalogue.EDITORS,
        "metrics": catalogue.METRICS,
        "parts of methods": catalogue.PARTS,
    }
    found = {
        kind: [_about(method) for method in methods.values()] for kind, methods in kinds.items()
    }
    if json:
        emit(found)
        return OK
    for kind, methods in found.items():
        table = Table(title=kind, title_justify="left", box=None, padding=(0, 2, 1, 0))
        table.add_column("name", style="bold", no_wrap=True)
        table.add_column("meaning and fields")
        for one in methods:
            called = ", ".join(f"{name}={value}" for name, value in one["fields"].items())
            table.add_row(one["name"], f"{escape(one['meaning'])}\n[dim]{escape(called)}[/dim]")
        out.print(table)
    return OK


def _about(method: Any) -> dict[str, Any]:
    shown = [field for field in fields(method) if field.init]
    return {
        "name": method.__name__,
        "meaning": (method.__doc__ or "").strip().splitlines()[0],
        "fields": {field.name: _default(field) for field in shown},
    }


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return repr(field.default)
    return "..." if field.default_factory is MISSING else repr(field.default_factory())
