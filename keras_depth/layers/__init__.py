"""Layers that Keras does not have; a `.keras` file holds them by these names."""

from keras_depth.layers.attention import ChannelStatistics
from keras_depth.layers.crop_like import CropLike
from keras_depth.layers.grouped_conv import GroupedConv2D
from keras_depth.layers.interleave import Interleave
from keras_depth.layers.preprocessing import Preprocessing
from keras_depth.layers.resize import BilinearResize, NearestResize, ProductResize
from keras_depth.layers.sub_pixel import SubPixel
from keras_depth.layers.unpool import Unpool
from keras_depth.layers.up_convolution import InterleavedConvolution, UpConvolution

__all__ = [
    "BilinearResize",
    "ChannelStatistics",
    "CropLike",
    "GroupedConv2D",
    "Interleave",
    "InterleavedConvolution",
    "NearestResize",
    "Preprocessing",
    "ProductResize",
    "SubPixel",
    "Unpool",
    "UpConvolution",
]
