"""Exported networks behind HTTP and gRPC, on KServe: `python -m keras_depth.serve`."""
