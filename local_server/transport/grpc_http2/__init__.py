"""gRPC on this project's HTTP/2: how a call travels.

1. `http2.connection` gets the bytes of one read; `http2.wire.frames` cuts them into frames.
2. `http2.frame_handler` opens a `Stream` for a header block. If equal bytes were decoded before
   (`http2.wire.header_blocks`) and belong to a unary method, nothing more happens until the body is
   there; then all such requests of the read come to `application.GrpcRequests.begin` together.
   Any other request comes to `open`, and its `unary.UnaryCall` or `streaming.StreamingCall`
   receives the body in parts.
3. A method with a `FastPath` (`grpc_types`) recognizes messages by their bytes. `fast_calls`
   collects these calls, of all connections, until the turn of the event loop ends; the path then
   answers each group of them from bytes to bytes. A call that comes by a `UnaryCall` joins them
   when its message is complete.
4. Every other message, and each that the path leaves out, is parsed by its `UnaryCall` and given to
   the method's handler, which returns a `Deferred`, or is a coroutine and gets a task.
5. `http2.write_flow` frames the response: constant header blocks, the message, constant trailers.
   It writes once per connection and turn, as far as the client's windows allow.
"""
