"""Interfaces over gRPC: the .proto files, and the code that `docs/protocol.py` generates from them."""
