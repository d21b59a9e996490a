"""Interleaving: four maps become one of twice the height and width (jetson_fcnn, Algorithm 1).

The custom op of custom_ops/interleave does it in one pass over memory. Where it is not built, the
same values come from `keras.ops`; one warning says how to get the op.
"""

import contextlib
import functools
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_depth import files
from keras_depth.errors import InputError

OP_SOURCES = ("interleave.h", "interleave_op.cc", "interleave_cuda.cu")

_standard_operators_asked = 0  # open `standard_operators()` blocks, of all threads


def interleave(a, b, c, d):
    """Interleaves four maps into one of twice the height and width.

    `a` goes to even rows and even columns, `b` to even rows and odd columns, `c` to odd rows and
    even columns, `d` to odd rows and odd columns. Equal to
    `keras.ops.depth_to_space(keras.ops.concatenate([a, b, c, d], -1), 2)`, bit for bit.

    Args:
        a, b, c, d: (N, H, W, C), all of one shape; float16, bfloat16, float32, float64, int32 or
            uint8. Tensors, arrays or `KerasTensor`s. Dimensions may be unknown.

    Returns:
        (N, 2H, 2W, C), of the dtype of `a`.

    Raises:
        InputError: a shape is not of rank 4, or the shapes differ. Shapes known only when the
            graph runs are checked then, with `tf.errors.InvalidArgumentError`.
    """
    maps = [a, b, c, d]
    if any(isinstance(x, keras.KerasTensor) for x in maps):
        return Interleave()(maps)
    maps = [keras.ops.convert_to_tensor(x) for x in maps]
    _check_shapes([x.shape for x in maps])
    if custom_op_available():
        return _library().keras_depth_interleave(*maps)
    return keras.ops.depth_to_space(keras.ops.concatenate(maps, axis=-1), 2)


@keras.saving.register_keras_serializable("keras_depth")
class Interleave(keras.layers.Layer):
    """Interleaves a list of four maps `[a, b, c, d]`: `interleave` as a layer.

    Input: four (N, H, W, C). Output: (N, 2H, 2W, C).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # XLA cannot compile a custom op; Keras then runs the model's functions without XLA.
        self.supports_jit = not custom_op_available()

    def call(self, inputs):
        a, b, c, d = inputs
        return interleave(a, b, c, d)

    def compute_output_shape(self, input_shape):
        _check_shapes(input_shape)
        batch, height, width, channels = input_shape[0]
        return batch, height and 2 * height, width and 2 * width, channels


@contextlib.contextmanager
def standard_operators() -> Iterator[None]:
    """Within this block, whatever is traced holds TensorFlow's own operators only.

    For exported models, which must load without this library, and for functions that XLA compiles
    (`jit_compile=True`), which cannot hold a custom op. It acts on tracing: a `tf.function` traced
    before the block keeps the op. It holds for all threads.
    """
    global _standard_operators_asked
    _standard_operators_asked += 1
    try:
        yield
    finally:
        _standard_operators_asked -= 1


def custom_op_available() -> bool:
    """Returns whether `interleave` runs the custom op here and now; loads it on first use."""
    return not _standard_operators_asked and _library() is not None


def library_path() -> Path:
    """Returns where the op's library is, or will be once built.

    The name holds TensorFlow's version and a hash of the sources, so a library of another
    TensorFlow (their C++ interfaces differ) or of older sources is simply not found.
    """
    folder = files.resource_folder("custom_ops") / "interleave"
    sources = b"".join((folder / name).read_bytes() for name in OP_SOURCES)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    stamp = f"tf{tf.__version__}-{hashlib.sha256(sources).hexdigest()[:12]}"
    return cache / "keras_depth" / f"interleave-{stamp}.so"


def has_cuda_kernels(library: Path) -> bool:
    """Returns whether a built library holds CUDA kernels (the section nvcc puts them in)."""
    return b".nv_fatbin" in library.read_bytes()


@functools.cache
def _library() -> Any:
    """Returns the loaded op's Python module, or None after one warning that says why not."""
    path = library_path()
    if not path.is_file():
        problem = "is not built"
    elif tf.config.list_physical_devices("GPU") and not has_cuda_kernels(path):
        problem = "has no CUDA kernels, because nvcc was not found when it was built"
    else:
        try:
            return tf.load_op_library(str(path))
        except (tf.errors.OpError, RuntimeError) as error:
            problem = f"does not load ({error})"
    warnings.warn(
        f"the interleave op {problem}; `python -m keras_depth.build_ops --force` builds it, "
        "and keras.ops does its work until then",
        stacklevel=2,
    )
    return None


@tf.RegisterGradient("KerasDepth>Interleave")
def _interleave_gradient(op, gradient):
    return _library().keras_depth_deinterleave(gradient)


@tf.RegisterGradient("KerasDepth>Deinterleave")
def _deinterleave_gradient(op, *gradients):
    return _library().keras_depth_interleave(*gradients)


def _check_shapes(shapes: Sequence) -> None:
    """Raises InputError where the static shapes are not four equal ones of rank 4."""
    shapes = [tf.TensorShape(shape) for shape in shapes]
    merged = tf.TensorShape([None] * 4)
    try:
        for shape in shapes:
            merged = merged.merge_with(shape)
    except ValueError:
        raise InputError(
            "interleave takes four maps of one shape (N, H, W, C), not "
            + ", ".join(str(shape) for shape in shapes)
        ) from None
