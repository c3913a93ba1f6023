"""The arrow rules of ARCHITECTURE.md, read from the code.

Arrows point inward: the core imports neither adapters nor the local server; those import the core
and themselves, never each other. Inside them, WALLS keeps protocols and clouds apart. TensorFlow is
imported in the runtime alone.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "cloudserve": "cloudserve",
    "adapters": "cloudserve.adapters",
    "local_server": "cloudserve.local_server",
    "templates": "cloudserve.templates",
}
OUTER = ("cloudserve.adapters", "cloudserve.local_server")
# Walls inside the folders: a package, and the packages that it may not import. Names are
# relative to `cloudserve`.
WALLS = {
    "client": ["cli", "golden", "predict"],
    "known": ["cli", "client", "predict", "project", "release"],
    "savedmodel": ["cli", "client", "predict", "release", "storage"],
    "storage": ["cli", "client", "predict", "release"],
    "storage.upload": ["storage.download"],
    "storage.download": ["storage.upload"],
    "release": ["cli", "client", "predict"],
    "release.state": ["release.execution", "release.planning", "release.service"],
    "release.planning": ["release.execution", "release.service"],
    "release.transfer": ["release.execution", "release.service"],
    "project": ["cli", "client", "predict", "storage"],
    "adapters.aws": ["adapters.directory", "adapters.google"],
    "adapters.aws.s3": ["adapters.aws.sagemaker"],
    "adapters.aws.sagemaker.api": [
        "adapters.aws.sagemaker.actions",
        "adapters.aws.sagemaker.fields",
        "adapters.aws.sagemaker.inference",
        "adapters.aws.sagemaker.planning",
        "adapters.aws.sagemaker.provider",
    ],
    "adapters.aws.sagemaker.planning": [
        "adapters.aws.sagemaker.actions.executor",
        "adapters.aws.sagemaker.inference",
        "adapters.aws.sagemaker.provider",
    ],
    "adapters.directory": ["adapters.aws", "adapters.google"],
    "adapters.google": ["adapters.aws", "adapters.directory"],
    "adapters.google.gcs": ["adapters.google.ai_platform", "adapters.google.vertex"],
    "adapters.google.ai_platform": ["adapters.google.vertex"],
    "adapters.google.vertex": ["adapters.google.ai_platform"],
    "local_server.transport": [
        "local_server.clouds",
        "local_server.codecs",
        "local_server.inference",
        "local_server.models",
        "local_server.protocols",
        "local_server.runtime",
    ],
    "local_server.transport.http": [
        "local_server.transport.grpc",
        "local_server.transport.grpc_http2",
        "local_server.transport.http2",
    ],
    "local_server.transport.http2": [
        "local_server.transport.grpc",
        "local_server.transport.grpc_http2",
        "local_server.transport.http",
    ],
    "local_server.transport.http2.wire": [
        "local_server.transport.http2.connection",
        "local_server.transport.http2.frame_handler",
        "local_server.transport.http2.stream",
        "local_server.transport.http2.write_flow",
    ],
    "local_server.transport.grpc": [
        "local_server.transport.grpc_http2",
        "local_server.transport.http",
        "local_server.transport.http2",
    ],
    "local_server.transport.grpc_http2": ["local_server.transport.http"],
    "local_server.load": [
        "local_server.clouds",
        "local_server.inference",
        "local_server.models",
        "local_server.protocols",
        "local_server.server",
        "local_server.transport.http",
    ],
    "local_server.console": [
        "local_server.clouds",
        "local_server.protocols.tfserving",
        "local_server.protocols.vertex",
        "local_server.server",
        "local_server.transport.http",
    ],
    "local_server.codecs": [
        "local_server.clouds",
        "local_server.inference",
        "local_server.models",
        "local_server.protocols",
        "local_server.transport",
    ],
    "local_server.messages": ["local_server.codecs", "local_server.runtime"],
    "local_server.runtime": [
        "local_server.batching",
        "local_server.clouds",
        "local_server.inference",
        "local_server.models",
        "local_server.protocols",
        "local_server.transport",
    ],
    "local_server.runtime.capi": ["local_server.codecs", "local_server.config"],
    "local_server.protocols": ["local_server.clouds", "local_server.container"],
    "local_server.protocols.tfserving": ["local_server.protocols.vertex"],
    "local_server.protocols.middleware": [
        "local_server.protocols.tfserving",
        "local_server.protocols.vertex",
    ],
    "local_server.clouds.objects": [
        "local_server.clouds.aws",
        "local_server.clouds.google.ai_platform",
        "local_server.clouds.vertex",
    ],
    "local_server.clouds.objects.store": [
        "local_server.clouds.objects.gcs",
        "local_server.clouds.objects.s3",
    ],
    "local_server.clouds.objects.s3": ["local_server.clouds.objects.gcs"],
    "local_server.clouds.objects.gcs": ["local_server.clouds.objects.s3"],
    "local_server.clouds.aws": ["local_server.clouds.google", "local_server.clouds.vertex"],
    "local_server.clouds.google": ["local_server.clouds.aws", "local_server.clouds.vertex"],
    "local_server.clouds.google.common": [
        "local_server.clouds.google.ai_platform",
        "local_server.clouds.google.monitoring",
    ],
    "local_server.clouds.google.monitoring": ["local_server.clouds.google.ai_platform"],
    "local_server.clouds.vertex": [
        "local_server.clouds.aws",
        "local_server.clouds.google.ai_platform",
    ],
}
# Modules that a command loads before it knows what it will need.
HEAVY = {"tensorflow", "numpy", "boto3", "botocore", "googleapiclient", "grpc", "httpx", "requests"}
# What the client's functions import: arrays and transports, of the extra `client`.
CLIENT = {"grpc", "httpx", "numpy"}


def sources(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(file):
    folder, *inner = file.relative_to(ROOT).with_suffix("").parts
    name = ".".join([FOLDERS[folder], *inner])
    return name.removesuffix(".__init__")


@cache
def import_nodes(file):
    """Return the imports of a file: each file is parsed once for all rules."""
    kinds = (ast.Import, ast.ImportFrom)
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)]


def imports(file):
    """Yield the absolute names a file imports, resolving relative ones."""
    package = module_name(file).split(".")
    package = package if file.name == "__init__.py" else package[:-1]
    for node in import_nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def at_run_time(file):
    """Yield what a module imports when it is imported, without `if TYPE_CHECKING:`."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def within(name, package):
    return name == package or name.startswith(package + ".")


def test_the_core_imports_neither_adapters_nor_servers():
    for file in sources("cloudserve"):
        assert not [n for n in imports(file) if any(within(n, outer) for outer in OUTER)], file


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("adapters", "cloudserve.local_server"), ("local_server", "cloudserve.adapters")],
)
def test_adapters_and_local_server_never_import_each_other(folder, forbidden):
    for file in sources(folder):
        assert not [n for n in imports(file) if within(n, forbidden)], file


@pytest.mark.parametrize("folder", ["adapters", "local_server"])
def test_inside_a_mapped_folder_own_imports_are_relative(folder):
    for file in sources(folder):
        for node in import_nodes(file):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not within(node.module or "", FOLDERS[folder]), file


@pytest.mark.parametrize("package", WALLS)
def test_a_package_imports_nothing_beyond_its_walls(package):
    forbidden = [f"cloudserve.{name}" for name in WALLS[package]]
    folder = package.partition(".")[0]
    files = sources(folder if folder in FOLDERS else "cloudserve")
    inside = [file for file in files if within(module_name(file), f"cloudserve.{package}")]
    assert inside
    for file in inside:
        assert not [n for n in imports(file) if any(within(n, f) for f in forbidden)], file


def test_templates_import_nothing():
    for file in sources("templates"):
        assert not list(imports(file)), file


def test_tensorflow_is_imported_in_the_runtime_alone():
    for folder in FOLDERS:
        for file in sources(folder):
            if "runtime" not in file.parts:
                assert not [n for n in imports(file) if within(n, "tensorflow")], file


def test_the_core_imports_no_heavy_library_even_in_functions():
    for file in sources("cloudserve"):
        is_client = "client" in file.parent.parts
        allowed = CLIENT if is_client else set()
        assert not {name.partition(".")[0] for name in imports(file)} & HEAVY - allowed, file
        if is_client:
            assert not {name.partition(".")[0] for name in at_run_time(file)} & HEAVY, file
