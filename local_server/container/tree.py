"""The tree that a container serves, built from a model's directory if necessary.

A container expects `code/` at the root of its tree, beside `NAME/NUMBER/`. A model's directory has
it in the version, `NUMBER/code/`. `cloudserve deploy` moves it to the root, as does this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloudserve.errors import UserError
from cloudserve.savedmodel.versions import is_saved_model

from .discovery import Bundle, bundles_below

_CODE = "code"
_ONE = 1


def container_tree(path: Path, scratch: Path) -> Path:
    """Return the tree to serve: `path` itself, or a tree of links below `scratch`.

    `path` is a model tree, a folder of NUMBER/ directories, or a SavedModel's directory. The code
    of the highest version is used, which answers requests without a version. Raises UserError if
    several models have code.
    """
    if is_saved_model(path):
        return _link_tree((_single_bundle(path),), scratch / "tree")
    if (path / _CODE).is_dir():
        return path
    bundles = bundles_below(path, path.name)
    latest = {bundle.model: bundle for bundle in bundles}
    coded_models = [model for model, bundle in latest.items() if (bundle.path / _CODE).is_dir()]
    if len(coded_models) > _ONE:
        raise UserError(
            f"{' and '.join(coded_models)} each have a code/, and a container runs one",
            where=str(path),
            hint="give the directory of one of them",
        )
    return _link_tree(bundles, scratch / "tree", latest[coded_models[0]]) if coded_models else path


def _single_bundle(path: Path) -> Bundle:
    if path.name.isdecimal():
        return Bundle(path.parent.name, int(path.name), path)
    return Bundle(path.name, _ONE, path)


def _link_tree(bundles: Sequence[Bundle], tree: Path, code_bundle: Bundle | None = None) -> Path:
    for bundle in bundles:
        folder = tree / bundle.model / str(bundle.version)
        folder.mkdir(parents=True)
        for entry in bundle.path.iterdir():
            if entry.name != _CODE:
                folder.joinpath(entry.name).symlink_to(entry)
    code = (code_bundle or bundles[-1]).path / _CODE
    if code.is_dir():
        tree.joinpath(_CODE).symlink_to(code)
    return tree
