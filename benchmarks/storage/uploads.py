"""How fast a model goes up: cloudserve against the plain SDK calls, in one run, on one store.

    make bench-storage                (or: uploads.py --mib 512)

The store is the offline one on loopback, in a process of its own; every upload runs in a process
of its own, too, so that peak memory is that of one upload. Ratios are what counts: each round has
both ways, in turns the one or the other first, and the median of the rounds' ratios is taken.
Nothing fails; the goals are printed beside the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MIB = 1 << 20
ROUNDS = 5

SERVER = """
import asyncio, sys
from pathlib import Path
from cloudserve.local_server.clouds.objects import GcsApp, ObjectStore, S3App
from cloudserve.local_server.transport.loop import run
from cloudserve.local_server.transport.http.server import HttpServer

async def main():
    with ObjectStore(Path(sys.argv[1])) as store:
        servers = [HttpServer(S3App(store)), HttpServer(GcsApp(store))]
        for server in servers:
            await server.start()
        print(*(server.port for server in servers), flush=True)
        await asyncio.Event().wait()

run(main())
"""


def s3_client(url: str):
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )


def gcs_client(url: str):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    return storage.Client(
        project="p", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
    )


def plain_s3(url: str, bucket: str, files: list[Path]) -> None:
    client = s3_client(url)
    client.create_bucket(Bucket=bucket)
    for file in files:
        client.upload_file(str(file), bucket, file.name)


def plain_gcs(url: str, bucket: str, files: list[Path]) -> None:
    made = gcs_client(url).create_bucket(bucket)
    for file in files:
        made.blob(file.name).upload_from_filename(str(file))


def own(kind: str, url: str, bucket: str, folder: Path) -> dict[str, int]:
    """Upload as a deploy does: hash, send what is missing, write the manifest."""
    from cloudserve.release.state.layout import Layout
    from cloudserve.release.state.uploaded import is_uploaded
    from cloudserve.release.transfer.upload import Uploader
    from cloudserve.release.types import Revision
    from cloudserve.savedmodel import DigestCache, read_tree
    from cloudserve.storage.events import SILENT, Moved, Reporter
    from cloudserve.storage.manifest import Origin

    store = open_store(kind, url, bucket)
    cache = DigestCache(folder.parent / "digests")
    moved = 0

    def observe(event):
        nonlocal moved
        moved += event.size if isinstance(event, Moved) else 0

    store.ensure(SILENT)
    revision = Revision(1, read_tree(folder, cache).digest)
    layout = Layout(store.url, "model", "bench")
    if not is_uploaded(store, layout, revision):
        uploader = Uploader(store, layout, lambda path: read_tree(path, cache))
        uploader.upload(revision, folder, Origin("bench"), Reporter(on_event=observe))
    return {"moved": moved}


def open_store(kind: str, url: str, bucket: str):
    if kind == "s3":
        from cloudserve.adapters.aws.s3.store import S3Blobs
        from cloudserve.adapters.aws.session import Access

        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        access = Access({"AWS_ENDPOINT_URL": url, **keys}, "us-east-1")
        return S3Blobs(bucket, region="us-east-1", access=access)
    from cloudserve.adapters.google.credentials import Access
    from cloudserve.adapters.google.gcs.store import GcsBlobs

    return GcsBlobs(bucket, project="p", region="r", access=Access({}), emulator=url)


def one_upload(how: str, url: str, bucket: str, folder: Path) -> None:
    """Run one upload and print its seconds, moved bytes and peak memory: the child's part."""
    import resource

    # What a program that uploads has loaded anyway is not timed.
    if how.endswith("s3"):
        import boto3  # noqa: F401
    else:
        import google.cloud.storage  # noqa: F401
    if how.startswith("own"):
        import cloudserve.release.transfer.upload
        import cloudserve.storage.upload.send  # noqa: F401

        open_store(how.removeprefix("own-"), url, bucket)  # loads the adapter, reaches no network
    files = sorted(folder.iterdir())
    started = time.perf_counter()
    facts = {}
    match how:
        case "plain-s3":
            plain_s3(url, bucket, files)
        case "plain-gcs":
            plain_gcs(url, bucket, files)
        case _:
            facts = own(how.removeprefix("own-"), url, bucket, folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, **facts}))


def measure(how: str, url: str, bucket: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", how, url, bucket, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(kind: str, url: str, folder: Path) -> None:
    """Measure one face: a first upload each way, then a second, then one with a changed file."""
    size = sum(file.stat().st_size for file in folder.iterdir())
    rounds = [one_round(kind, url, folder, number) for number in range(ROUNDS)]
    for way in ("plain", "own"):
        report(f"{kind} {way}", [facts[way] for facts in rounds], size)
    ratios = [facts["plain"]["seconds"] / facts["own"]["seconds"] for facts in rounds]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(
        f"{kind}: {statistics.median(ratios):.2f} times as fast as the plain call "
        f"(goal: at least 1; rounds: {each})"
    )
    peak = max(facts["own"]["peak"] for facts in rounds) / MIB
    print(f"{kind}: peak memory {peak:.0f} MiB (goal: under 200)")
    again = measure(f"own-{kind}", url, f"own-{kind}-{ROUNDS - 1}", folder)
    print(f"{kind}: again {again['seconds']:.2f} s, {again['moved']} bytes (goal: under 1 s, 0)")
    changed = min(folder.iterdir(), key=lambda file: file.stat().st_size)
    with changed.open("r+b") as opened:
        opened.write(os.urandom(64))
    after = measure(f"own-{kind}", url, f"own-{kind}-{ROUNDS - 1}", folder)
    print(
        f"{kind}: one file changed: {after['seconds']:.2f} s, {after['moved']} bytes moved "
        f"of {size} (the file has {changed.stat().st_size})"
    )


def one_round(kind: str, url: str, folder: Path, number: int) -> dict[str, dict[str, float]]:
    """Upload the plain way and ours, each to a bucket of its own, in turns the one first."""
    found = {}
    for way in ("plain", "own") if number % 2 == 0 else ("own", "plain"):
        for file in folder.iterdir():  # other bytes, so that the store has none of them
            with file.open("r+b") as opened:
                opened.write(os.urandom(64))
        found[way] = measure(f"{way}-{kind}", url, f"{way}-{kind}-{number}", folder)
    return found


def report(name: str, rounds: list[dict[str, float]], size: int) -> None:
    seconds = statistics.median(facts["seconds"] for facts in rounds)
    peak = max(facts["peak"] for facts in rounds) / MIB
    rate = size / seconds / 1e6
    print(f"{name:10} {seconds:6.2f} s {rate:7.0f} MB/s {peak:6.0f} MiB peak", flush=True)


def write_files(folder: Path, mib: int) -> None:
    """Write three files: most of it in one, as in a model."""
    folder.mkdir()
    chance = random.Random(1)
    for name, share in (("variables.data", 0.75), ("saved_model.pb", 0.2), ("assets", 0.05)):
        left = int(mib * share) * MIB
        with (folder / name).open("wb") as file:
            while left:
                file.write(chance.randbytes(min(left, 16 * MIB)))
                left -= min(left, 16 * MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        how, url, bucket, folder = arguments.child
        one_upload(how, url, bucket, Path(folder))
        return
    with tempfile.TemporaryDirectory(prefix="bench-storage-") as place:
        folder = Path(place, "model")
        write_files(folder, arguments.mib)
        command = [sys.executable, "-c", SERVER, str(Path(place, "store"))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                ports = server.stdout.readline().split()
                for kind, port in zip(("s3", "gcs"), ports, strict=True):
                    compare(kind, f"http://127.0.0.1:{port}", folder)
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
