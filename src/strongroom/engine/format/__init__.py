"""Stored and sent objects as bytes: pure encoding and decoding, one module per object of docs/format.md."""
