"""Objects of any bucket, by their URLs: inputs and answers of jobs and asynchronous requests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ...errors import code_of, translated
from ...session import Access


class Objects:
    """The objects that one AWS account may read."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def read(self, url: str) -> bytes | None:
        """Read an object, or return None."""
        with translated(f"read {url}", self._where):
            try:
                answer = self._s3.get_object(**_place(url))
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise
            return bytes(answer["Body"].read())

    def lines(self, url: str) -> Iterator[bytes]:
        """Yield an object's lines, as they arrive."""
        with translated(f"read {url}", self._where):
            answer = self._s3.get_object(**_place(url))
            yield from answer["Body"].iter_lines()

    def beginning_with(self, url: str) -> tuple[str, ...]:
        """Return the URLs of the first two objects whose URL begins with this one."""
        place = _place(url)
        with translated(f"list {url}", self._where):
            answer = self._s3.list_objects_v2(
                Bucket=place["Bucket"], Prefix=place["Key"], MaxKeys=2
            )
        return tuple(f"s3://{place['Bucket']}/{each['Key']}" for each in answer.get("Contents", ()))

    @property
    def _where(self) -> str:
        return self._access.where("s3")

    @cached_property
    def _s3(self) -> Any:
        return self._access.client("s3")


def _place(url: str) -> dict[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}  # which may have `?` and `#`
