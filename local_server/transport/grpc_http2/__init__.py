"""gRPC on this project's HTTP/2: how a call travels.

1. `http2.connection` gets the bytes of one read; `http2.wire.frames` cuts them into frames.
2. `http2.small_requests` reads the frames of requests whose header block was decoded before
   (`http2.wire.header_blocks`) and that belong to unary methods: a `Stream` for each, and when its
   body is there, the request. Those of one read come to `application.GrpcRequests.begin` together.
   `http2.frame_handler` handles every other frame. Any other request comes to `open`, and its
   `unary.UnaryCall` or `streaming.StreamingCall` receives the body in parts.
3. A method with a `FastPath` (`grpc_types`) recognizes messages by their bytes. `fast_calls`
   collects these calls, of all connections, until the turn of the event loop ends; the path then
   answers each group of them from bytes to bytes. A call that comes by a `UnaryCall` joins them
   when its message is complete.
4. Every other message, and each that the path leaves out, is parsed by its `UnaryCall` and given to
   the method's handler, which returns a `Deferred`, or is a coroutine and gets a task.
5. `http2.write_flow` frames the response: constant header blocks, the message, constant trailers.
   It writes once per connection and turn, as far as the client's windows allow.
"""
