"""An image of a base, the server's packages and a model; its upload to a registry."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from cloudserve.errors import ConflictError, UserError
from cloudserve.images.oci.layers import Entry, Layer, tree, write_layer
from cloudserve.images.oci.layout import write_layout
from cloudserve.images.oci.manifest import (
    CONFIG,
    Base,
    Descriptor,
    Runtime,
    digest_of,
    docker_manifest,
    encode,
    image_config,
    image_manifest,
)
from cloudserve.images.oci.references import Reference
from cloudserve.images.oci.registry import Repository, open_repository, pull_base, silent
from cloudserve.images.oci.wheels import (
    SCRIPTS,
    SITE,
    InMemory,
    download_wheels,
    open_wheel,
    wheel_entries,
)
from cloudserve.images.requirements import check_python, locked_requirements
from cloudserve.images.wheel import installed_wheel
from cloudserve.plural import counted
from cloudserve.savedmodel import is_saved_model, list_versions
from cloudserve.savedmodel.other_formats import recognize

DEFAULT_BASE = "python:3.12-slim-bookworm"
_PORT = 8080
_USER = 1000
_HOME = "home/serving"
_SERVE = "opt/cloudserve/serve.sh"
_OWN_LAYER = 64 << 20
"""Wheels above this size, such as TensorFlow's, have a layer of their own."""
Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is made of."""

    base: Reference
    tensorflow: str
    model: Path | None = None
    """A SavedModel, or a base path with NUMBER/ directories."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    notify: Notify = silent


@dataclass(frozen=True, slots=True)
class Image:
    """A built image, whose new layers are on disk; those of the base are in its registry."""

    base: Base
    base_reference: Reference
    base_repository: Repository
    layers: tuple[Layer, ...]
    config: bytes
    manifest: bytes
    """The OCI manifest; an upload has Docker's (`docker_manifest`)."""

    @property
    def digest(self) -> str:
        """Return the digest of the OCI manifest."""
        return digest_of(self.manifest)


def build(recipe: Recipe, folder: Path) -> Image:
    """Build an image; its layers are written into an existing empty folder.

    The same base, packages and model give the same bytes. Raises UserError for a base without a
    supported Python or a model that is not a SavedModel, RemoteError if a registry or pip fails.
    """
    requirements = locked_requirements(recipe.tensorflow)
    _check_model(recipe.model)
    own = _own_layers(recipe, folder)
    repository = open_repository(recipe.base, recipe.environ, notify=recipe.notify)
    base = pull_base(repository, recipe.base, folder)
    recipe.notify(f"base {base.name}@{base.digest}")
    python = _python_of(base)
    check_python(python, recipe.tensorflow)
    downloads = folder / "wheels"
    downloads.mkdir()
    wheels = download_wheels(requirements, python, downloads)
    layers = (*_package_layers(wheels, folder, recipe.notify), *own)
    described = [(layer.diff_id, layer.created_by) for layer in layers]
    config = encode(image_config(base, _runtime(base), described))
    manifest = image_manifest(base, config, [layer.descriptor for layer in layers])
    return Image(base, recipe.base, repository, layers, config, manifest)


def push(image: Image, target: Reference, environ: Mapping[str, str], notify: Notify) -> str:
    """Upload an image with a manifest in Docker's schema 2; return its name with the digest.

    A named tag is moved to the image, and the digest that it had is reported; an existing `latest`
    is replaced only if it is named. Raises ConflictError otherwise, UserError for a target with a
    digest. Blobs that the repository has are not sent again, those of a base in the same registry
    are mounted, and the manifest is sent last: an interrupted push is repeated without harm.
    """
    if target.digest:
        raise UserError(
            "an image is pushed to a tag, not to a digest",
            where=str(target),
            hint=f"write {target.registry}/{target.repository}:TAG",
        )
    manifest = docker_manifest(image.manifest)
    same = image.base_reference.registry == target.registry
    source = image.base_reference.repository if same else ""
    mount_from = [source] if source and source != target.repository else []
    repository = open_repository(target, environ, push=True, mount_from=mount_from, notify=notify)
    before = repository.find_manifest(target.tag)
    _check_tag(target, before, digest_of(manifest))
    for descriptor in image.base.layers:
        _copy(image, repository, descriptor, mount_from, notify)
    for layer in image.layers:
        if not repository.has(layer.descriptor.digest):
            notify(f"uploading {layer.created_by} ({counted(layer.descriptor.size, 'byte')})")
            repository.upload(layer.descriptor, lambda path=layer.path: path.open("rb"))  # type: ignore[misc] # bound now
    config = Descriptor(CONFIG, digest_of(image.config), len(image.config))
    if not repository.has(config.digest):
        repository.upload(config, lambda: io.BytesIO(image.config))
    repository.put_manifest(target.tag, manifest)
    digest = digest_of(manifest)
    if before not in {"", digest}:
        notify(f"the tag {target.tag} was {target.registry}/{target.repository}@{before}")
    return f"{target.registry}/{target.repository}@{digest}"


def _check_tag(target: Reference, before: str, digest: str) -> None:
    """Raise ConflictError if the push would replace a tag that was not named."""
    if not target.has_tag and before not in {"", digest}:
        name = f"{target.registry}/{target.repository}"
        raise ConflictError(
            f"the tag `{target.tag}` of {name} is another image, {before}",
            where=name,
            hint=f"name the tag to push to: {name}:TAG, or {name}:{target.tag} to replace it",
        )


def save(image: Image, folder: Path) -> None:
    """Write an image as an OCI layout; raises ConflictError if the folder is not empty."""
    documents = (image.config, image.manifest)
    write_layout(folder, documents, image.layers, image.base.layers, image.base_repository.blob)


def _copy(
    image: Image,
    repository: Repository,
    descriptor: Descriptor,
    mount_from: list[str],
    notify: Notify,
) -> None:
    if repository.has(descriptor.digest):
        return
    if any(repository.mount(descriptor.digest, source) for source in mount_from):
        notify(f"mounted {descriptor.digest} of the base image")
        return
    path = image.layers[0].path.with_name("base-layer")
    notify(f"copying {descriptor.digest} of the base image ({counted(descriptor.size, 'byte')})")
    image.base_repository.blob(descriptor, path)
    repository.upload(descriptor, lambda: path.open("rb"))
    path.unlink()


def _package_layers(wheels: list[Path], folder: Path, notify: Notify) -> list[Layer]:
    large = [wheel for wheel in wheels if wheel.stat().st_size > _OWN_LAYER]
    small = [wheel for wheel in wheels if wheel not in large]
    groups = [*([wheel] for wheel in large), *([small] if small else [])]
    layers = []
    for number, group in enumerate(groups):
        name = group[0].name if len(group) == 1 else counted(len(group), "package")
        notify(f"unpacking {name}")
        with ExitStack() as stack:
            archives = [stack.enter_context(open_wheel(wheel)) for wheel in group]
            entries = [entry for archive in archives for entry in wheel_entries(archive)]
            layers.append(write_layer(entries, folder / f"packages-{number}.tar.gz", name))
    return layers


def _own_layers(recipe: Recipe, folder: Path) -> list[Layer]:
    wheel = installed_wheel()
    path = folder / wheel.name
    path.write_bytes(wheel.data)
    script = (files("cloudserve.templates.image") / "serve.sh").read_bytes()
    with open_wheel(path) as archive:
        entries = [
            *wheel_entries(archive),
            Entry(_SERVE, InMemory(script), executable=True),
            Entry(_HOME, None, owner=_USER),
        ]
        layers = [write_layer(entries, folder / "cloudserve.tar.gz", wheel.name)]
    if recipe.model is not None:
        model = tree(recipe.model, "model")
        layers.append(write_layer(model, folder / "model.tar.gz", "the model"))
    return layers


def _runtime(base: Base) -> Runtime:
    path = base.variables.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return Runtime(
        entrypoint=("sh", f"/{_SERVE}"),
        variables={
            "PATH": f"/{SCRIPTS}:{path}",
            "PYTHONPATH": f"/{SITE}",
            "PYTHONUNBUFFERED": "1",
            "HOME": f"/{_HOME}",
        },
        user=f"{_USER}:{_USER}",
        port=_PORT,
        folder=f"/{_HOME}",
    )


def _python_of(base: Base) -> str:
    match = re.match(r"\d+\.\d+", base.variables.get("PYTHON_VERSION", ""))
    if match is None:
        raise UserError(
            "the base image does not name its Python in PYTHON_VERSION",
            where=base.name,
            hint=f"name an image that is made from Docker's Python image, such as {DEFAULT_BASE}",
        )
    return match[0]


def _check_model(model: Path | None) -> None:
    if model is None or is_saved_model(model):
        return
    versions = list_versions(model)
    for folder in versions.values() or [model]:
        if not is_saved_model(folder):
            kind, hint = recognize(folder)
            what = kind or "neither a SavedModel nor a base path with NUMBER/ directories of them"
            raise UserError(
                f"the image's server loads SavedModels: {what}",
                where=str(folder),
                hint=hint or "name the directory that contains saved_model.pb, or its parent",
            )
