"""A SavedModel on disk, read without TensorFlow.

    resolve(path)            the version directory and its number
    read_saved_model(path)   signatures, tags, ops; checks that all files are complete
    read_tree(path)          the files with sizes and digests, and one digest over all
    read_interface(path)     signatures and class vocabularies, for a comparison
    compare_interfaces(a, b) whether a new version accepts the requests of the live one

Any fault in the files is raised as `cloudserve.errors.ModelError`.
"""

from cloudserve.savedmodel.checks.contract import compare
from cloudserve.savedmodel.checks.differences import Contract, Difference, Effect
from cloudserve.savedmodel.classes.reader import Vocabulary
from cloudserve.savedmodel.interface import (
    Interface,
    compare_interfaces,
    parse_interface,
    read_interface,
)
from cloudserve.savedmodel.model import SavedModel
from cloudserve.savedmodel.reader import read_saved_model
from cloudserve.savedmodel.signature import Shape, Signature, TensorSpec
from cloudserve.savedmodel.tree import FileEntry, Tree, read_tree
from cloudserve.savedmodel.tree_cache import DigestCache
from cloudserve.savedmodel.versions import is_saved_model, list_versions, resolve

__all__ = [
    "Contract",
    "Difference",
    "DigestCache",
    "Effect",
    "FileEntry",
    "Interface",
    "SavedModel",
    "Shape",
    "Signature",
    "TensorSpec",
    "Tree",
    "Vocabulary",
    "compare",
    "compare_interfaces",
    "is_saved_model",
    "list_versions",
    "parse_interface",
    "read_interface",
    "read_saved_model",
    "read_tree",
    "resolve",
]
