"""The messages of codegen/tinker.proto, as protoc makes them."""
