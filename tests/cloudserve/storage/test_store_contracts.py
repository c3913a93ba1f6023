"""Each adapter's bucket fulfils the contracts: on our store, and on others' that know not ours."""

from __future__ import annotations

import pytest
from cloudserve.adapters.directory.storage import DirectoryBlobs

from cloudserve.testing.blob_contract import BlobStoreContract
from cloudserve.testing.blob_contract_parts import PartStoreContract


class TestS3OnOurStore(BlobStoreContract, PartStoreContract):
    @pytest.fixture
    def missing(self, faces, s3_at, bucket):
        return s3_at(faces["s3"], bucket)


class TestS3OnMoto(BlobStoreContract, PartStoreContract):
    @pytest.fixture
    def missing(self, moto, s3_at, bucket):
        return s3_at(moto, bucket)

    @pytest.mark.skip(reason="moto 5.2 breaks down (HTTP 500) at a part of an aborted upload")
    def test_every_call_of_a_missing_upload_raises_its_error(self):
        raise NotImplementedError


class TestGcsOnOurStore(BlobStoreContract, PartStoreContract):
    @pytest.fixture
    def missing(self, faces, gcs_at, bucket):
        return gcs_at(faces["gcs"], bucket)


class TestDirectory(BlobStoreContract, PartStoreContract):
    @pytest.fixture
    def missing(self, tmp_path):
        return DirectoryBlobs(tmp_path / "not" / "there" / "yet")
