"""Errors of the object store; each protocol renders them in its own form.

CloudserveError
└── ObjectStoreError
    ├── NoSuchBucketError        BucketExistsError     BucketNotEmptyError
    ├── NoSuchKeyError           PreconditionFailedError      NoSuchVersionError
    ├── HeldError                the object may not be deleted or replaced yet
    ├── ConflictingDeletionError the object was deleted during a conditional upload
    ├── NoSuchUploadError        InvalidPartError      (multipart uploads, resumable sessions)
    ├── SessionBusyError
    ├── StoreFullError           the disk is full
    ├── DigestMismatchError      the content does not have the announced digest
    └── CheckoutError            a prefix that cannot be exported as a directory

A refused operation changes nothing.
"""

from __future__ import annotations

import errno

from cloudserve.errors import CloudserveError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ObjectStoreError(CloudserveError):
    """The object store refused an operation."""


class StoreFullError(ObjectStoreError):
    """The disk is full; the clouds have no error for it."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"The offline store cannot write: {error.strerror}. Make room on its disk."
        )


class NoSuchBucketError(ObjectStoreError):
    """The bucket does not exist."""

    def __init__(self, bucket: str) -> None:
        super().__init__("The specified bucket does not exist", where=bucket)
        self.bucket = bucket


class NoSuchKeyError(ObjectStoreError):
    """The object does not exist."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__("The specified key does not exist.", where=f"{bucket}/{key}")
        self.bucket = bucket
        self.key = key


class NoSuchVersionError(ObjectStoreError):
    """The object exists perhaps, but not in this version."""

    def __init__(self, bucket: str, key: str, version: str) -> None:
        super().__init__("The specified version does not exist.", where=f"{bucket}/{key}")
        self.key = key
        self.version = version


class HeldError(ObjectStoreError):
    """A hold or a retention forbids to delete or replace the object.

    `hold` is the name of the hold, "" for a retention, which ends at `until`.
    """

    def __init__(self, bucket: str, key: str, hold: str, until: float = 0.0) -> None:
        super().__init__("The object may not be deleted or replaced", where=f"{bucket}/{key}")
        self.bucket = bucket
        self.key = key
        self.hold = hold
        self.until = until


class BucketExistsError(ObjectStoreError):
    """The bucket already exists."""

    def __init__(self, bucket: str) -> None:
        super().__init__("The bucket already exists", where=bucket)
        self.bucket = bucket


class BucketNotEmptyError(ObjectStoreError):
    """The bucket still has objects and cannot be deleted."""

    def __init__(self, bucket: str) -> None:
        super().__init__(
            "The bucket you tried to delete is not empty",
            where=bucket,
            hint="delete its objects first",
        )
        self.bucket = bucket


class PreconditionFailedError(ObjectStoreError):
    """The object fails a condition of the request; `condition` names it."""

    def __init__(self, bucket: str, key: str, condition: str) -> None:
        super().__init__(
            "At least one of the pre-conditions you specified did not hold",
            where=f"{bucket}/{key}: {condition}",
        )
        self.condition = condition


class ConflictingDeletionError(ObjectStoreError):
    """The object was deleted while a conditional upload was in progress."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(
            "The conditional request cannot succeed due to a conflicting operation against this"
            " resource.",
            where=f"{bucket}/{key}",
            hint="start the multipart upload again",
        )
        self.key = key


class NoSuchUploadError(ObjectStoreError):
    """The multipart upload or resumable session does not exist, or has ended."""

    def __init__(self, upload: str) -> None:
        super().__init__(
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed.",
            where=upload,
        )


class InvalidPartError(ObjectStoreError):
    """A part named in a completion is missing, too small or out of order."""

    def __init__(self, code: str, message: str, number: int) -> None:
        super().__init__(message, where=f"part {number}")
        self.code = code


class SessionBusyError(ObjectStoreError):
    """Another request is writing to the resumable session."""

    def __init__(self, session: str) -> None:
        super().__init__(
            "Another request is writing to this upload session", where=session, hint="retry later"
        )


class DigestMismatchError(ObjectStoreError):
    """The bytes do not have the announced digest."""

    def __init__(self, algorithm: str, expected: str, actual: str) -> None:
        super().__init__(
            f"Provided {algorithm} hash {expected!r} doesn't match calculated {algorithm} hash "
            f"{actual!r}."
        )
        self.algorithm = algorithm


class CheckoutError(ObjectStoreError):
    """The objects under a prefix cannot be exported as files."""
