"""Layers that Keras does not have; a `.keras` file names them, and this import registers them."""

from keras_depth.layers.attention import ChannelStatistics
from keras_depth.layers.grouped_conv import GroupedConv2D
from keras_depth.layers.interleave import Interleave
from keras_depth.layers.preprocessing import Preprocessing
from keras_depth.layers.resize import BilinearResize, MatmulResize, NearestResize
from keras_depth.layers.up_convolution import InterleavedConvolution, UpConvolution

__all__ = [
    "BilinearResize",
    "ChannelStatistics",
    "GroupedConv2D",
    "Interleave",
    "InterleavedConvolution",
    "MatmulResize",
    "NearestResize",
    "Preprocessing",
    "UpConvolution",
]
