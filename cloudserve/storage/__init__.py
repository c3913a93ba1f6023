"""Files on their way to and from buckets: one machinery for gs://, s3://, file:// and anybody's.

    contract     what the machinery needs of a bucket: `PartStore`
    window       a span of a file as a body that can be sent again
    retry, pool  what fails in passing is tried again; a bounded number of things happen at once
    send         files into a bucket: skipped when there, resumed by parts, checked by the service
    fetch        files out of a bucket: checked by digest, renamed into place when they are whole
    events       what library users are told meanwhile

The core of it knows no cloud; the adapters bring the buckets.
"""
