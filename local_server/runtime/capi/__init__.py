"""TensorFlow's public C API by ctypes: no Python of TensorFlow is imported.

`library` opens it; `status`, `buffers`, `tensors`, `graph`, `session` and `registry` are the parts
of the API that the runtime uses. Pointers stay inside of this package.

Source: tensorflow/c/{c_api,tf_tensor,tf_tstring,tf_status,tf_buffer}.h, which the wheel brings.
"""
