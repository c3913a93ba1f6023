"""TensorFlow's public C API by ctypes: no Python of TensorFlow is imported.

`library` opens it; `status`, `buffers`, `tensors`, `graph`, `session` and `registry` are the parts
of the API that the runtime uses. Pointers stay inside of this package.

Who owns what:
* A tensor that is fed is a copy, owned by the call and deleted after it; TensorFlow counts its own
  references. A fetched one is owned by the array that shows its memory, or by nobody after a copy:
  so an answer outlives its session.
* A prepared call refers to its session, and the session to its graph. The last reference deletes
  them, also that of a call that still runs; the order of the two does not matter to TensorFlow.
* A status belongs to one call, or to one thread.
* TensorFlow calls nothing back: no function of Python is ever given to it.
* What TensorFlow reads during a call (`Lent`, arrays of `ctypes`) is referred to by the caller's
  frame or by the session.
* No call may run when C's exit handlers do (`skip_exit_handlers` in `cloudserve/cli/servers`).

Source: tensorflow/c/{c_api,tf_tensor,tf_tstring,tf_status,tf_buffer}.h, which the wheel brings.
"""
