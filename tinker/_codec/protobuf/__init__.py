"""The binary encoding of batches and results: a handwritten codec of the messages in codegen/tinker.proto.

A batch is the bytes of its arrays with a few bytes before each, collected in a list and copied once. The arrays of
a result are slices of its bytes. No number is converted, so a batch costs one copy of its bytes.

As in protobuf, a reader skips fields that it does not know or that have another wire type.
"""

from tinker._codec.protobuf.outputs import decode_forward_backward_output
from tinker._codec.protobuf.requests import encode_forward_backward
from tinker._codec.protobuf.samples import decode_sample_response

__all__ = ["decode_forward_backward_output", "decode_sample_response", "encode_forward_backward"]
