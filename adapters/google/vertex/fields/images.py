"""The containers that serve a model: Google's prebuilt TensorFlow images, or an image of one's own.

Source: google-cloud-aiplatform's `constants/prediction.py` for the names, Vertex AI's pages on
prebuilt containers and the framework support policy for the dates (read in November 2026).
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from cloudserve.errors import UserError
from cloudserve.release.types import Location

from ....own_image import not_rehearsed
from .options import Options

NEWEST = "2.15"
ENDS = {
    "2.15": date(2027, 1, 14),
    "2.14": date(2027, 1, 14),
    "2.13": date(2025, 11, 28),
}
"""When an image is taken away. Those before 2.13 went before it."""
OLDEST_MINOR = 1
DIGITS = 12
PREBUILT = re.compile(
    r"(?:us|europe|asia)-docker\.pkg\.dev/vertex-ai/prediction/tf2-[cg]pu\.(2-\d+):.*"
)
REGISTRY = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)/[\w.-]+/.+")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def end_of(version: str) -> date:
    """Return the day from which Google no longer offers the image of a TensorFlow version."""
    return ENDS.get(version, min(ENDS.values()))


@dataclass(frozen=True, slots=True)
class Availability:
    """Refuses to upload a version for a prebuilt image that Google no longer offers.

    Versions in the registry need no image any more: "The container image is ingested upon
    ModelService.UploadModel, stored internally, and this original path is afterwards not used"
    (aiplatform v1, ModelContainerSpec.imageUri).
    """

    where: str = ""
    clock: Clock = utc_now

    def check(self, image: str) -> None:
        """Raise UserError for a prebuilt TensorFlow image whose availability has ended."""
        prebuilt = PREBUILT.fullmatch(image)
        if prebuilt is None:
            return
        version = prebuilt[1].replace("-", ".")
        if end_of(version) <= self.clock().date():
            raise UserError(
                f"Google took the prebuilt image of TensorFlow {version} away by {end_of(version)}",
                where=self.where,
                hint="name a container of your own with `image` and deploy again; "
                "`cloudserve image` writes one",
            )


def served_version(options: Options) -> str | None:
    """Return the TensorFlow version of the image, or None for an image of one's own."""
    return None if options.image else options.tensorflow_version or NEWEST


def prebuilt_image(region: str, version: str, *, gpu: bool) -> str:
    """Return Google's image of a TensorFlow version such as `2.15`, from the nearest registry."""
    device = "gpu" if gpu else "cpu"
    host = f"{multi_region(region)}-docker.pkg.dev/vertex-ai/prediction"
    return f"{host}/tf2-{device}.{version.replace('.', '-')}:latest"


def multi_region(region: str) -> str:
    """Return which of the three registries, `us`, `europe` or `asia`, is nearest to a region."""
    continent = region.partition("-")[0]
    if continent in {"europe", "me", "africa"}:
        return "europe"
    return "asia" if continent in {"asia", "australia"} else "us"


def check_image(options: Options, where: str) -> None:
    """Raise UserError for a prebuilt image that never existed, or is not in Google's registries."""
    version = served_version(options)
    if version is None:
        _check_own(options.image, where)
        return
    known = {f"2.{minor}" for minor in range(OLDEST_MINOR, int(NEWEST.partition(".")[2]) + 1)}
    if version not in known:
        raise UserError(
            f"Vertex AI has no prebuilt image of TensorFlow {version}; the newest is {NEWEST}",
            where=where,
            hint=f'write tensorflow_version: "{NEWEST}", or name a container with `image`',
        )


def _check_own(image: str, where: str) -> None:
    """Refuse an image elsewhere (aiplatform v1, ModelContainerSpec.imageUri)."""
    if not REGISTRY.fullmatch(image):
        raise UserError(
            f"the image `{image}` is not in Artifact Registry or Container Registry",
            where=where.replace("tensorflow_version", "image"),
            hint="push it to REGION-docker.pkg.dev/PROJECT/REPOSITORY",
        )


def image_warnings(options: Options) -> tuple[str, ...]:
    """Return what will go wrong with the image: when Google takes it away."""
    version = served_version(options)
    if version is None:
        return not_rehearsed(options.image, options.rehearse)
    leaving = (
        f"Google takes the prebuilt image of TensorFlow {version} away on {end_of(version)}; "
        "`image` names a container of your own, `cloudserve image` writes one"
    )
    return (leaving,)


def artifact_uri(options: Options, location: Location) -> str:
    """Return the directory that the container is given.

    A prebuilt image wants the SavedModel itself, TensorFlow Serving the folder of `NUMBER/` ones.
    """
    if options.image:
        return f"{location.root_url}{location.model}/"
    return location.saved_model_url


def container_spec(options: Options, model: str) -> dict[str, Any]:
    """Return a ModelContainerSpec (aiplatform v1)."""
    if not options.image:
        version = served_version(options) or NEWEST
        gpu = bool(options.accelerator_type)
        return {"imageUri": prebuilt_image(options.region, version, gpu=gpu)}
    return {
        "imageUri": options.image,
        "args": _arguments(options, model),
        "env": [{"name": name, "value": text} for name, text in sorted(options.env.items())],
        "ports": [{"containerPort": options.port}],
        "predictRoute": options.predict_route or f"/v1/models/{model}:predict",
        "healthRoute": options.health_route or f"/v1/models/{model}",
    }


def _arguments(options: Options, model: str) -> list[str]:
    if options.args is not None:
        return shlex.split(options.args)
    # Vertex AI puts the folder of its own copy in AIP_STORAGE_URI, and expands $(NAME) in args.
    return [
        f"--rest_api_port={options.port}",
        f"--model_name={model}",
        "--model_base_path=$(AIP_STORAGE_URI)",
    ]


def container_fingerprint(spec: Mapping[str, Any], extra: Mapping[str, Any], uri: str) -> str:
    """Return the fingerprint of a container, the Model's extra fields, and the files."""
    return fingerprint({**spec, "extra": extra} if extra else spec, uri)


def fingerprint(spec: Mapping[str, Any], uri: str) -> str:
    """Return a short name of a container and the files that it is given: alike for alike."""
    data = msgspec.json.encode([uri, spec], order="deterministic")
    return hashlib.sha256(data).hexdigest()[:DIGITS]
