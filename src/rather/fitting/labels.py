"""Which class has which number: what a recipe says of it is held against the class folders."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rather.classifier import Classifier
from rather.data.classes import resolve
from rather.data.folder import Pictures, doubtful
from rather.data.labelled import ClassFolders
from rather.fitting.recipe import Recipe, Source
from rather.models import load


def found(
    recipe: Recipe[Any], *roots: str | Path, white: float | int | None = None
) -> ClassFolders | Pictures:
    """The pictures in folders or zip files, with their labels if the recipe learns from labels."""
    kind = ClassFolders if getattr(recipe, "labelled", False) else Pictures
    return kind(tuple(map(str, roots)), white=white)


def doubt(pictures: Source) -> str:
    """What is doubtful of the pictures, such as that they come out nearly black."""
    files = isinstance(pictures, ClassFolders | Pictures)
    return doubtful(pictures.names() or pictures.names(True), pictures.white) if files else ""


def agreed(recipe: Any, pictures: Source) -> tuple[Any, Source]:
    """The recipe and its pictures, with one order of classes.

    Class folders are read in the order of the recipe's names; where it has none yet, it gets those
    of the folders. Numbers that a recipe gives to classes are for the folders' own order; where it
    gives none, they are looked up by the folders' names, as the classifier's names or identifiers.

    Raises:
        ValueError: names, or how many numbers there are, do not fit the folders; or a folder is
            called as no class is.
    """
    if not isinstance(pictures, ClassFolders) or not getattr(recipe, "labelled", False):
        return recipe, pictures
    names, folders = getattr(recipe, "names", None), pictures.known
    if names is None:
        return _numbered(recipe, folders), pictures
    if not names:
        return replace(recipe, names=folders), pictures
    if pictures.classes:
        _check_chosen(names, folders)
        return recipe, pictures
    _check_names(names, folders)
    return recipe, replace(pictures, classes=tuple(names))


def _check_names(names: tuple[str, ...], folders: tuple[str, ...]) -> None:
    if sorted(names) != sorted(folders):
        raise ValueError(
            f"the recipe's names are {', '.join(names)}, but the class folders are "
            f"{', '.join(folders)}; give the same names, in the order that labels shall have, or "
            "name the folders of the classes: ClassFolders(roots, classes=(...))"
        )


def _check_chosen(names: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Folders that were chosen may be called otherwise than their classes, as WordNet ids are."""
    swapped = sorted(names) == sorted(folders) and tuple(names) != folders
    if swapped or len(names) != len(folders):
        raise ValueError(
            f"the recipe's names are {', '.join(names)}, but the chosen folders are "
            f"{', '.join(folders)}; give one name for each, in the same order"
        )


def check_numbered(labels: tuple[int, ...]) -> None:
    """Raise a `ValueError` if the classifier's numbers of the classes are still to be found."""
    if not labels:
        raise ValueError("labels are empty, and no class folders have given theirs; give some")


def _numbered(recipe: Any, folders: tuple[str, ...]) -> Any:
    """The recipe with a number of the classifier for each folder."""
    labels = getattr(recipe, "labels", None)
    if labels == ():
        classifier = load(recipe.classifier)
        found = tuple(_number(folder, classifier) for folder in folders)
        if len(set(found)) < len(found):
            raise ValueError(
                f"the class folders {', '.join(folders)} are the classes {found} of "
                f"{recipe.classifier}, not all different; say which: labels=(...)"
            )
        return replace(recipe, labels=found)
    if labels is not None and len(labels) != len(folders):
        raise ValueError(
            f"labels={labels} are {len(labels)} numbers for {len(folders)} class folders "
            f"({', '.join(folders)}); give the classifier's number of each, in this order"
        )
    return recipe


def _number(folder: str, of: Classifier) -> int:
    """The class of that very name, or the one that is meant."""
    if folder in of.names:
        return of.names.index(folder)
    try:
        return resolve(folder, of)
    except ValueError as error:
        raise ValueError(
            f"the class folder {folder!r} is called as no one class of {of.name} is ({error}); say "
            "which number each folder has, in their order: labels=(...)"
        ) from error
