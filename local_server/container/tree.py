"""The tree that a container serves, made of a model's own directory where that is given.

A container finds `code/` at the root of its tree, beside `NAME/NUMBER/`. In a model's directory it
lies in the version, `NUMBER/code/`; `cloudserve deploy` puts it at the root, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.savedmodel.versions import is_saved_model

from .discovery import Bundled, bundles_below

_CODE = "code"
_ONE = 1


def container_tree(path: Path, scratch: Path) -> Path:
    """Return the tree to serve: `path` as it is, or one of links below `scratch`.

    `path` is a model tree, a folder of NUMBER/ directories, or a SavedModel's directory. Of several
    versions the highest one's code counts: it is the one that answers where a request names none.
    Raises UserError for several models with code of their own.
    """
    if is_saved_model(path):
        return _linked((_lone(path),), scratch / "tree")
    if (path / _CODE).is_dir():
        return path
    bundles = bundles_below(path, path.name)
    latest = {bundle.model: bundle for bundle in bundles}
    coded = [model for model, bundle in latest.items() if (bundle.path / _CODE).is_dir()]
    if len(coded) > _ONE:
        raise UserError(
            f"{' and '.join(coded)} each have a code/, and a container runs one",
            where=str(path),
            hint="give the directory of one of them",
        )
    return _linked(bundles, scratch / "tree", latest[coded[0]]) if coded else path


def _lone(path: Path) -> Bundled:
    if path.name.isdecimal():
        return Bundled(path.parent.name, int(path.name), path)
    return Bundled(path.name, _ONE, path)


def _linked(bundles: Sequence[Bundled], tree: Path, coded: Bundled | None = None) -> Path:
    for bundle in bundles:
        folder = tree / bundle.model / str(bundle.version)
        folder.mkdir(parents=True)
        for entry in bundle.path.iterdir():
            if entry.name != _CODE:
                folder.joinpath(entry.name).symlink_to(entry)
    code = (coded or bundles[-1]).path / _CODE
    if code.is_dir():
        tree.joinpath(_CODE).symlink_to(code)
    return tree
