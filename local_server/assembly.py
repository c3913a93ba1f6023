"""The parts of a model server, made from its options."""

from __future__ import annotations

from .batching.loader import batched
from .batching.parameters import BatchingParameters, default_parameters, read_parameters
from .models import FileSystemSource, Lifecycle, Loader, Manager, ServerCore
from .models.discovery import find_versions, find_versions_or_model
from .options import BatchingOptions, ServerOptions, Startup
from .runtime.session import session_loader


def make_loader(options: ServerOptions, load: Loader | None = None) -> Loader:
    """Return what loads a model as the options say; `load` replaces the loader of SavedModels.

    Raises UserError for batching parameters, StatusError for a session configuration that cannot be
    read.
    """
    load = load or session_loader(options.tags, options.session)
    batching = options.batching
    if batching is None:
        return load
    return batched(load, _read_parameters(batching), per_model=batching.per_model)


def _read_parameters(options: BatchingOptions) -> BatchingParameters:
    file = options.parameters_file
    return read_parameters(file) if file else default_parameters()


def make_core(options: ServerOptions, manager: Manager) -> ServerCore:
    """Return what keeps a manager at the configuration.

    A strict server reads base paths as TensorFlow Serving does; any other takes a SavedModel's
    folder for a base path too, and goes on where one is missing.
    """
    is_strict = options.startup is Startup.EVERY
    discover = find_versions if is_strict else find_versions_or_model
    lifecycle = Lifecycle(manager, options.retry)
    source = FileSystemSource(lifecycle.aspire, discover, independent=not is_strict)
    return ServerCore(manager, lifecycle, source, labels_may_wait=options.labels_may_wait)
