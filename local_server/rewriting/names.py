"""Other names for the inputs and outputs of signatures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cloudserve.errors import UserError
from cloudserve.hints import choose_from
from cloudserve.savedmodel.signature import HIDDEN_SIGNATURES, PREDICT_METHOD

from ..messages import Message


def rename(meta_graph: Message, side: str, names: Mapping[str, str]) -> Iterator[str]:
    """Rename inputs or outputs in all signatures that predict; yield a sentence for each.

    `side` is `inputs` or `outputs`, `names` has the old name by the new one. Classify and regress
    requests have fixed names. Raises UserError for an unknown old or a taken new name.
    """
    fit = {
        name: getattr(one, side)
        for name, one in sorted(meta_graph.signature_def.items())
        if has_own_names(name, one.method_name)
    }
    for new, old in names.items():
        found = {name: infos for name, infos in fit.items() if old in infos}
        if not found:
            known = sorted({alias for infos in fit.values() for alias in infos})
            raise UserError(
                f"no signature that predicts has {old} among its {side}", hint=choose_from(known)
            )
        for name, infos in found.items():
            if new in infos:
                raise UserError(
                    f"the {side} of {name} have {new} already", hint="choose another name"
                )
            infos[new].CopyFrom(infos[old])
            del infos[old]
            _rename_default(meta_graph.signature_def[name], side, new, old)
        yield f"{old} is {new} among the {side} of {', '.join(found)}"


def has_own_names(signature: str, method: str) -> bool:
    """Return whether the inputs and outputs of a signature can be renamed."""
    return method == PREDICT_METHOD and signature not in HIDDEN_SIGNATURES


def new_names(aliases: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names that `rename` gives the inputs or outputs of a signature, by the old ones.

    Names are changed one after the other, so that one may take a name that another has given up.
    """
    old_names = {alias: alias for alias in aliases}
    for new, old in names.items():
        if old in old_names:
            old_names[new] = old_names.pop(old)
    return {old: new for new, old in old_names.items()}


def _rename_default(definition: Message, side: str, new: str, old: str) -> None:
    if side == "inputs" and old in definition.defaults:
        definition.defaults[new].CopyFrom(definition.defaults[old])
        del definition.defaults[old]
