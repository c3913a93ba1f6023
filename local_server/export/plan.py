"""The plan of an export: which signatures a source gives, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cloudserve.errors import ModelError, UserError
from cloudserve.hints import choose_from
from cloudserve.local.model_export import ExportRequest, ImageInput, TensorNames
from cloudserve.local.model_steps import InputStep, Normalize, Rescale
from cloudserve.savedmodel.graph_ends import find_ends

from ..runtime.types import DEFAULT_SIGNATURE
from .batches import check_open, open_batches, open_functions, open_written
from .graph_writer import write_graph
from .object_writer import write_objects
from .running import running_code
from .served import Served
from .signatures.examples import of_examples
from .signatures.images import IMAGE_SIGNATURE, of_images
from .signatures.signatures import as_module, served_functions
from .sources.graphs import GraphSource, open_source
from .sources.loaded import function_names, load_objects, loaded_function, loaded_signatures
from .sources.saved_models import SavedModelSource, copied_signatures, open_saved_model, write_copy
from .steps.processed import process, steps_of


@dataclass(frozen=True, slots=True)
class Plan:
    """Signatures by name, with what writes them into a folder."""

    served: Mapping[str, Served]
    write: Callable[[Path], None]


def plan_export(
    tf: Any, source: Any, request: ExportRequest, workspace: Path, opened: ExitStack
) -> Plan:
    """Return the plan for a source; `opened` closes what it needs.

    A graph is written as it is. If signatures of images or Examples are to be in front of it, it is
    written into `workspace` first, and loaded from there. Raises UserError for a request that does
    not fit the source.
    """
    if isinstance(source, GraphSource):
        plan = _plan_graph(tf, source, request, opened)
    elif isinstance(source, SavedModelSource) and not _needs_functions(source, request):
        plan = _plan_copy(tf, source, request, opened)
    else:
        return _plan_objects(tf, source, request)
    if request.open_batch:
        plan = _with_open_batches(tf, plan)
    if not _changes_functions(request):
        _check_names(request.names, plan.served)
        return plan
    plan.write(workspace)
    loaded = load_objects(tf, workspace, ("serve",))
    served = {
        name: replace(
            one,
            method=plan.served[name].method,
            reference=plan.served[name].reference or plan.served[name].function,
            samples=plan.served[name].samples,
            batch=plan.served[name].batch,
        )
        for name, one in loaded_signatures(loaded).items()
    }
    return _with_derived(tf, loaded, served, request)


def _with_open_batches(tf: Any, plan: Plan) -> Plan:
    served = open_batches(tf, plan.served)
    batches = {name: one.batch for name, one in served.items() if one.batch}
    return Plan(served, partial(open_written, plan.write, batches))


def _changes_functions(request: ExportRequest) -> bool:
    """Return whether a request has more than names for what a graph computes."""
    return bool(request.image or request.examples or request.preprocess or request.postprocess)


def _plan_graph(tf: Any, source: GraphSource, request: ExportRequest, opened: ExitStack) -> Plan:
    tensors = dict(request.tensors) or {DEFAULT_SIGNATURE: _proposed(source)}
    tensors |= {new: tensors[old] for new, old in request.names.items() if old in tensors}
    with running_code("TensorFlow does not load the graph", str(source.path)):
        session = open_source(tf, source)
    opened.callback(session.close)
    served = {name: session.served(one) for name, one in tensors.items()}
    return Plan(served, partial(write_graph, tf, source, session, tensors))


def _proposed(source: GraphSource) -> TensorNames:
    """Return the ends of a graph; raises UserError if it is one that was trained, or has none."""
    ends = find_ends(source.meta_graph.graph_def)
    if source.checkpoint or not ends.inputs or not ends.outputs:
        raise UserError(
            "the tensors of the signature are not named",
            where=str(source.path),
            hint=f"give --inputs and --outputs; `cloudserve inspect {source.path}` proposes some",
        )
    return TensorNames(ends.inputs, ends.outputs)


def _plan_copy(
    tf: Any, source: SavedModelSource, request: ExportRequest, opened: ExitStack
) -> Plan:
    if source.model.unrestored and request.tensors:
        raise UserError(
            "the variables of these tensors are not restored",
            where=str(source.model.path),
            hint="repair the model first: `cloudserve repair`",
        )
    with running_code("TensorFlow does not load the SavedModel", str(source.model.path)):
        session = open_saved_model(tf, source)
    opened.callback(session.close)
    served = copied_signatures(tf, source, session, request.tensors, request.names)
    return Plan(served, partial(write_copy, source, session, request.tensors, request.names))


def _needs_functions(source: SavedModelSource, request: ExportRequest) -> bool:
    """Return whether signatures are named after functions, or there is nothing else to serve."""
    known = {one.name for one in source.model.signatures} | {*request.tensors, *_derived(request)}
    return not known or not known.issuperset(request.names.values())


def _derived(request: ExportRequest) -> set[str]:
    names = {IMAGE_SIGNATURE} if request.image else set()
    return names | ({"examples", "classification", "regression"} if request.examples else set())


def _plan_objects(tf: Any, source: Any, request: ExportRequest) -> Plan:
    if request.tensors:
        raise UserError(
            "the source has no graph whose tensors could be named",
            hint="leave --inputs and --outputs out, or name no function",
        )
    if not isinstance(source, SavedModelSource):
        model = as_module(tf, source)
        served = served_functions(tf, model)
        if request.open_batch:
            served = open_functions(tf, served)
        return _with_derived(tf, model, served, request)
    loaded = load_objects(tf, source.model.path, source.model.tags)
    served = loaded_signatures(loaded)
    functions = {*request.names.values()} - {*served, *_derived(request)}
    for name in functions:
        served[name] = loaded_function(tf, loaded, name)
    if not served:
        raise UserError(
            "the SavedModel has no signature, and no function is named",
            where=str(source.model.path),
            hint="add --signature serving_default=FUNCTION; "
            f"{choose_from(function_names(tf, loaded))}",
        )
    if request.open_batch:
        check_open(served)
    return _with_derived(tf, loaded, served, request, functions - {*request.names})


def _with_derived(
    tf: Any,
    model: Any,
    served: dict[str, Served],
    request: ExportRequest,
    unnamed: AbstractSet[str] = frozenset(),
) -> Plan:
    """Add the names, steps, images and Examples that are asked for; leave `unnamed` ones out."""
    served |= _renamed(served, request.names)
    served |= process(tf, served, request.preprocess, request.postprocess)
    if request.image is not None:
        _check_scaled_once(request.image, steps_of(request.preprocess, _default_name(served)))
        served[IMAGE_SIGNATURE] = of_images(tf, _default(served), request.image)
    if request.examples is not None:
        served |= of_examples(tf, _default(served), request.examples)
    served = _renamed(served, request.names) | served
    _check_names(request.names, served)
    named = {name: one for name, one in served.items() if name not in unnamed}
    return Plan(named, partial(write_objects, tf, model, named))


def _check_scaled_once(image: ImageInput, steps: Sequence[InputStep]) -> None:
    if (image.scale, image.offset) != (1.0, 0.0) and any(
        isinstance(step, Rescale | Normalize) for step in steps
    ):
        raise UserError(
            f"the images are divided by {image.scale:g}, and the input is scaled again",
            hint="give --image-scale 1, or leave rescale and normalize out",
        )


def _renamed(served: Mapping[str, Served], names: Mapping[str, str]) -> dict[str, Served]:
    return {new: served[old] for new, old in names.items() if old in served}


def _default(served: Mapping[str, Served]) -> Served:
    return served[_default_name(served)]


def _default_name(served: Mapping[str, Served]) -> str:
    if DEFAULT_SIGNATURE in served:
        return DEFAULT_SIGNATURE
    if len(served) == 1:
        return next(iter(served))
    raise ModelError(
        f"there is no signature {DEFAULT_SIGNATURE} for images or Examples",
        hint=f"name one: --signature {DEFAULT_SIGNATURE}=NAME; {choose_from(served)}",
    )


def _check_names(names: Mapping[str, str], served: Mapping[str, Served]) -> None:
    for new, old in names.items():
        if new not in served:
            raise UserError(f"there is no signature {old}", hint=choose_from(served))
