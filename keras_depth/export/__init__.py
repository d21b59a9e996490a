"""Exports trained networks to SavedModel, ONNX, LiteRT, TF-TRT and TensorRT."""
