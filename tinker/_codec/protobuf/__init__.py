"""The binary encoding of batches and results: a handwritten codec of the messages in codegen/tinker.proto.

A batch is the bytes of its arrays with a few bytes before each, collected in a list and copied once. The arrays of
a result are slices of its bytes. No number is converted, so a batch costs one copy of its bytes.

As in protobuf, a reader skips fields that it does not know or that have another wire type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinker._lazy import lazy

# Training reads no samples, and sampling no batches.
if TYPE_CHECKING:
    from tinker._codec.protobuf.outputs import (
        decode_forward_backward_output as decode_forward_backward_output,
    )
    from tinker._codec.protobuf.requests import encode_forward_backward as encode_forward_backward
    from tinker._codec.protobuf.samples import decode_sample_response as decode_sample_response

lazy(__name__)
