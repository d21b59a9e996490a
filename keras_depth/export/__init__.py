"""Trained networks leave the laptop: SavedModel, ONNX, LiteRT, TF-TRT and TensorRT."""
