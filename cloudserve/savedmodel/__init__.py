"""A SavedModel on disk, read without TensorFlow.

    resolve(path)            the version directory and its number
    read_saved_model(path)   signatures, tags, ops; checks that all files are complete
    read_tree(path)          the files with sizes and digests, and one digest over all
    compare(live, new)       whether a new version accepts the requests of the live one

Any fault in the files is raised as `cloudserve.errors.ModelError`.
"""

from cloudserve.savedmodel.checks.contract import Contract, Difference, compare
from cloudserve.savedmodel.model import SavedModel
from cloudserve.savedmodel.reader import parse_signatures, read_saved_model
from cloudserve.savedmodel.signature import Shape, Signature, TensorSpec
from cloudserve.savedmodel.tree import FileEntry, Tree, read_tree
from cloudserve.savedmodel.tree_cache import DigestCache
from cloudserve.savedmodel.versions import is_saved_model, list_versions, resolve

__all__ = [
    "Contract",
    "Difference",
    "DigestCache",
    "FileEntry",
    "SavedModel",
    "Shape",
    "Signature",
    "TensorSpec",
    "Tree",
    "compare",
    "is_saved_model",
    "list_versions",
    "parse_signatures",
    "read_saved_model",
    "read_tree",
    "resolve",
]
