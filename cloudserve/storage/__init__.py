"""File transfers to and from buckets: gs://, s3://, file:// and those of other adapters.

    contract          the interface of a bucket: `BlobStore`, and `PartStore` for transfers
    events            progress events, and how they are reported
    transfer          the state shared by a transfer's threads; files divided into parts
    retry, pool       retries with backoff; a bounded thread pool
    upload            send    files to a bucket: unchanged ones are skipped, large ones split
                      stream  an object of unknown size, made while it is sent
    download          files   objects to local files, resumed and verified
                      tree    a model into a directory, atomically; `model_cache` keeps several
    manifest          the files and the origin of a revision; `provenance` reads git
    versions          `BASE/NUMBER/` below a base path
    archive           reproducible `model.tar.gz` archives

It knows no cloud: the adapters provide the buckets, and `cloudserve.registry.bucket` opens them.
"""
