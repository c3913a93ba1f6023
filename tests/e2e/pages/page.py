"""What a page assumes and what it leaves to the reader, and the folder in which it is typed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .markdown import targets
from .terminal import Terminal


@dataclass(frozen=True, slots=True)
class Room:
    """A folder with a project, and the folder of the real SavedModels."""

    folder: Path
    models: Path
    bucket: str
    region: str

    def copy(self, name: str, *numbers: int, of: str = "tfs_half_plus_two_cpu/123") -> None:
        """Write versions of a model into `models/`, equal but for a note in each."""
        for number in numbers:
            version = self.folder / "models" / name / str(number)
            shutil.copytree(self.models / of, version)
            (version / "assets.extra").mkdir(exist_ok=True)
            (version / "assets.extra" / "note.txt").write_text(f"{name} {number}")

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder."""
        (self.folder / name).write_text(text)


@dataclass(frozen=True, slots=True)
class Page:
    """How a page is typed."""

    prepare: Callable[[Room], None] = lambda room: None
    """Writes the files that the page assumes."""
    before: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Commands that the reader has run before a command, by its beginning; "" is the first. A tuple
    has one for each time that a command begins so."""
    instead: Mapping[str, str] = field(default_factory=dict)
    """Other texts for parts of commands: paths of the root folder, times, placeholders."""
    exits: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The exit codes of commands, by their beginning, one after the other; 0 by default."""
    without: Mapping[str, str] = field(default_factory=dict)
    """Commands that are not typed, by their beginning, with the reason."""
    without_blocks: tuple[str, ...] = ()
    """Texts in blocks that another test types."""
    unlike: Mapping[str, str] = field(default_factory=dict)
    """Commands whose output is not compared, by their beginning, with the reason."""
    needs: tuple[str, ...] = ()
    """Programs; the page is skipped if one is not installed."""
    environment: str = ""
    """A folder of another virtual environment below the root, whose programs come first."""
    is_named: bool = True
    """Whether the project has a name."""
    with_fields: bool = True
    """Whether the targets have the fields that the page shows."""
    providers: Mapping[str, str] = field(default_factory=dict)
    """The platforms of targets."""
    variables: Mapping[str, str] = field(default_factory=dict)
    after: Callable[[Room, Terminal], None] = lambda room, terminal: None
    """Looks at what the page has done."""


def project(room: Room, page: str, settings: Page, number: int) -> str:
    """Return the project file of a page, with its targets' fields, in a region of its own."""
    aws = {
        "provider": "sagemaker",
        "bucket": f"s3://{room.bucket}",
        "role_arn": "arn:aws:iam::000000000000:role/rehearsal",
        "region": room.region,
    }
    google = {
        "project": f"page-{number}",
        "region": "us-central1",
        "bucket": f"gs://{room.bucket}",
    }
    own = {
        "aws": aws,
        "production": aws | {"region": REGIONS[-1]},
        "vertex": {"provider": "vertex"} | google,
        "gcp": {"provider": "vertex"} | google | {"endpoint_name": "{model}-gcp"},
    }
    for name, provider in settings.providers.items():
        own[name] = {"provider": provider} | {key: google[key] for key in ("project", "bucket")}
    for name, fields in targets(page).items() if settings.with_fields else ():
        base = aws if fields["provider"] == "sagemaker" else google
        own[name] = fields | base | {"provider": fields["provider"]}
    models = ("mnist", "half", "fraud", "my-model")
    paths = {name: {"path": f"models/{name}"} for name in models}
    name = {"name": "pages"} if settings.is_named else {}
    return yaml.safe_dump(name | {"models": paths, "targets": own}, sort_keys=False)


REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "ca-central-1"),
    *("ap-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1"),
    *("ap-southeast-2", "ap-southeast-3", "ap-east-1", "sa-east-1", "me-south-1", "af-south-1"),
    *("ap-east-2", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("ap-south-2", "ap-southeast-4", "ca-west-1", "il-central-1", "me-central-1", "mx-central-1"),
)
"""Of SageMaker. Endpoints of the same name are apart there, so the pages share an emulator.
The first pages need none: their regions are used again by the last ones."""
