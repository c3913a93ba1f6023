"""Files on their way to and from buckets: one machinery for gs://, s3://, file:// and anybody's.

    contract          what the machinery needs of a bucket: `PartStore`
    window            a span of a file as a body that can be sent again
    retry, pool       what fails in passing is tried again; so many things happen at once, no more
    transfer, spans   what the threads of one transfer share; files cut into parts
    send, outgoing    files into a bucket: skipped when there, else sent by `whole` or `multipart`
    receive, incoming files out of a bucket, compared with their digests
    fetch             a model out of a bucket into a directory that is whole or not there
    manifest          what a revision consists of and where it comes from; `provenance` asks git
    versions          `BASE/NUMBER/` below a base path; `model_cache` has them as directories
    archive, stream   `model.tar.gz`, made while it is sent
    crc_combine       the CRC of joined bytes from those of their pieces
    events            what library users are told meanwhile

It knows no cloud: the adapters bring the buckets, and `cloudserve.registry.bucket` opens them.
"""
