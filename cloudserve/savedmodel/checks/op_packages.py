"""Ops outside TensorFlow: the Python packages that register them, and the servers that have them.

TensorFlow Serving is built with the ops of TensorFlow Text, and from 2.11 on with the inference
ops of TensorFlow Decision Forests (tensorflow_serving/model_servers/BUILD,
`SUPPORTED_TENSORFLOW_OPS`; decision-forests, documentation/tensorflow_serving.md). Up to 1.15 it
has the ops of tf.contrib too. The ops of TensorFlow Text are those that its version 2.21 registers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudserve.savedmodel.checks.op_table import read_table


@dataclass(frozen=True, slots=True)
class OpPackage:
    """A Python package that registers ops when it is imported."""

    project: str
    """The package's name for pip."""
    module: str
    prefixes: tuple[str, ...] = ()
    ops: frozenset[str] = frozenset()
    built_in_from: tuple[int, int] | None = None
    """The first TensorFlow Serving with these ops; None if no version has them."""

    def has(self, op: str) -> bool:
        """Return whether the package registers an op."""
        return op in self.ops or op.startswith(self.prefixes)


_TEXT_OPS = """
    CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets
    FindSourceOffsets MaxSpanningTree NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize
    RegexSplitWithOffsets RougeL SentenceFragments SentenceFragmentsV2 SentencepieceDetokenizeOp
    SentencepieceIdToStringOp SentencepieceOp SentencepieceStringToIdOp SentencepieceTokenizeOp
    SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp SplitMergeTokenizeWithOffsets
    TokenizerFromLogits UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets
    WordpieceTokenizeWithOffsets
"""
PACKAGES = (
    OpPackage(
        "tensorflow-text", "tensorflow_text", ("TFText>",), frozenset(_TEXT_OPS.split()), (2, 0)
    ),
    OpPackage(
        "tensorflow-decision-forests",
        "tensorflow_decision_forests",
        ("SimpleML",),
        built_in_from=(2, 11),
    ),
    OpPackage("tensorflow-recommenders-addons", "tensorflow_recommenders_addons", ("TFRA>",)),
    OpPackage("tensorflow-addons", "tensorflow_addons", ("Addons>",)),
    OpPackage("tensorflow-io", "tensorflow_io", ("IO>",)),
    OpPackage("struct2tensor", "struct2tensor", ("DecodeProtoSparse",)),
    OpPackage("tensorflow-quantum", "tensorflow_quantum", ("Tfq",)),
)

_OF_GPU_BUILDS = frozenset(
    ["CreateTRTResourceHandle", "GetCalibrationDataOp", "InitializeTRTResource", "TRTEngineOp"]
)
"""Ops of TensorFlow that are missing in the CPU wheels from which the table was made."""


def foreign_ops(ops: Iterable[str]) -> tuple[str, ...]:
    """Return the ops that are not TensorFlow's own, sorted."""
    return read_table().foreign(set(ops) - _OF_GPU_BUILDS)


def package_of(op: str) -> OpPackage | None:
    """Return the package that registers an op, or None for an unknown one."""
    return next((package for package in PACKAGES if package.has(op)), None)


def foreign_op_text(op: str) -> str:
    """Return an op with its package, if that is known."""
    package = package_of(op)
    return f"`{op}` of {package.project}" if package else f"`{op}`"


def is_built_in(op: str, version: str) -> bool:
    """Return whether the TensorFlow Serving of a version has an op that is not TensorFlow's own."""
    number = _number(version)
    if number is None or number < (2, 0):
        return True  # an unknown version, or one with tf.contrib
    package = package_of(op)
    first = package.built_in_from if package else None
    return first is not None and number >= first


def _number(version: str) -> tuple[int, int] | None:
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
