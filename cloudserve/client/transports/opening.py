"""From what a program names to a channel."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cloudserve.client.transports.access import Access
from cloudserve.client.transports.address import Address, TargetAddress, parse_address
from cloudserve.client.transports.channel import AsyncChannel, Channel
from cloudserve.client.transports.cloud import CloudChannel
from cloudserve.client.transports.cloud_address import CloudAddress
from cloudserve.client.transports.grpc_channels import AsyncGrpcChannel, GrpcChannel
from cloudserve.client.transports.http_channels import AsyncHttpChannel, HttpChannel
from cloudserve.client.transports.in_process import LocalChannel
from cloudserve.client.transports.in_threads import ThreadedChannel
from cloudserve.client.transports.platform import PlatformChannel
from cloudserve.errors import UserError
from cloudserve.project import Project, find_project_file, load_project

Subject = str | Path | Project


def address_of(subject: Subject, model: str | None, target: str | None) -> Address:
    """Return the address of a subject; raises UserError for one that names nothing.

    A project needs a model and a target; a URL may need a model.
    """
    if not isinstance(subject, Project):
        if target is not None:
            raise UserError(
                "a target belongs to a project",
                where=str(subject),
                hint="Client(project, MODEL, TARGET), or MODEL@TARGET alone",
            )
        return parse_address(subject, model or "")
    if not model or not target:
        raise UserError(
            "a project needs the names of a model and a target",
            where=str(subject.path),
            hint="Client(project, MODEL, TARGET)",
        )
    return TargetAddress(model, target)


def version_of(address: Address) -> str:
    """Return the version that an address names, or ""."""
    return "" if isinstance(address, Path) else address.version


def open_channel(
    address: Address,
    project: Project | None,
    environ: Mapping[str, str] | None,
    access: Access,
    files: str | Path | None = None,
) -> Channel:
    """Return a channel for threads, without reaching the network.

    `files` are those of the model at a CloudAddress; raises UserError for other addresses.
    """
    if isinstance(address, CloudAddress):
        return _cloud(address, environ, files)
    _refuse(files)
    if isinstance(address, Path):
        return LocalChannel(address)
    if isinstance(address, TargetAddress):
        return _platform(address, project, environ)
    kind = GrpcChannel if address.is_grpc else HttpChannel
    return kind(address, access)


def open_async_channel(
    address: Address,
    project: Project | None,
    environ: Mapping[str, str] | None,
    access: Access,
    files: str | Path | None = None,
) -> AsyncChannel:
    """Return a channel for the running event loop; see `open_channel`."""
    if isinstance(address, CloudAddress):
        return ThreadedChannel(_cloud(address, environ, files))
    _refuse(files)
    if isinstance(address, Path):
        return ThreadedChannel(LocalChannel(address))
    if isinstance(address, TargetAddress):
        return ThreadedChannel(_platform(address, project, environ))
    kind = AsyncGrpcChannel if address.is_grpc else AsyncHttpChannel
    return kind(address, access)


def _cloud(
    address: CloudAddress, environ: Mapping[str, str] | None, files: str | Path | None
) -> CloudChannel:
    variables = os.environ if environ is None else environ
    return CloudChannel(address, variables, None if files is None else Path(files))


def _refuse(files: str | Path | None) -> None:
    if files is not None:
        raise UserError(
            "`files` belong to an endpoint of a cloud by its own name",
            where=str(files),
            hint="leave them out: a server and a target of a project tell their signatures",
        )


def _platform(
    address: TargetAddress, project: Project | None, environ: Mapping[str, str] | None
) -> PlatformChannel:
    variables = os.environ if environ is None else environ
    if project is None:
        project = load_project(find_project_file(Path.cwd()))
    return PlatformChannel(project, address.model, address.target, variables)
