"""Compatibility of class vocabularies: the names that a classifier answers with.

A client may depend on a name, or on the position of its score. Only classes that are added at the
end change neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cloudserve.plural import counted
from cloudserve.savedmodel.checks.differences import Difference, Effect
from cloudserve.savedmodel.classes.reader import Vocabulary

NAMED = 3
"""Classes that a sentence names."""


def compare_vocabularies(
    live: Iterable[Vocabulary], new: Iterable[Vocabulary]
) -> Iterator[Difference]:
    """Yield the differences of the outputs whose vocabularies are known in both versions."""
    after = {(one.signature, one.output): one.classes for one in new}
    for one in live:
        classes = after.get((one.signature, one.output))
        if classes is not None and classes != one.classes:
            yield _difference(one, classes)


def _difference(live: Vocabulary, new: tuple[str, ...]) -> Difference:
    known, now = set(live.classes), set(new)
    removed = [name for name in live.classes if name not in now]
    added = [name for name in new if name not in known]
    what = f"output {live.output}: "
    if removed:
        text = f"{what}{_counted(removed)} {'is' if len(removed) == 1 else 'are'} missing"
        answered = f"requests whose class is in both vocabularies of {live.output}"
        return Difference(live.signature, text + _and(added), Effect.SOME, answered)
    if new[: len(live.classes)] != live.classes:
        text = f"{what}the classes have another order{_and(added)}"
        answered = f"requests of clients that read the names in {live.output}, not positions"
        return Difference(live.signature, text, Effect.SOME, answered)
    return Difference(live.signature, f"{what}{_counted(added)} added at the end")


def _and(added: Sequence[str]) -> str:
    return f", and {_counted(added)} added" if added else ""


def _counted(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{counted(len(names), 'class', 'classes')} ({listed})"
