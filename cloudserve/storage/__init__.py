"""Files on their way to and from buckets: one machinery for gs://, s3://, file:// and anybody's.

    contract          what the machinery needs of a bucket: `PartStore`
    window            a span of a file as a body that can be sent again
    retry, pool       what fails in passing is tried again; so many things happen at once, no more
    send, outgoing    files into a bucket: skipped when there, resumed by parts, verified
    receive, incoming files out of a bucket, compared with their digests
    fetch             a model out of a bucket into a directory that is whole or not there
    manifest          what a revision consists of and where it comes from; `provenance` asks git
    versions          `BASE/NUMBER/` below a base path; `model_cache` has them as directories
    archive, stream   `model.tar.gz`, made while it is sent
    events            what library users are told meanwhile

It knows no cloud: the adapters bring the buckets, and `cloudserve.registry.bucket` opens them.
"""
