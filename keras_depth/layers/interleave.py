"""Interleaving: four maps become one of twice the height and width (jetson_fcnn, Algorithm 1).

The custom op of custom_ops/interleave does it in one pass over memory. Where it is not built,
`keras.ops` computes the same values, and one warning says how to build it.
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
from keras import KerasTensor

from keras_depth import files
from keras_depth.errors import InputError

OP_SOURCES = ("interleave.h", "interleave_op.cc", "interleave_cuda.cu")

_standard_operators_asked = 0  # number of open `standard_operators()` blocks, of all threads


def interleave(a: KerasTensor, b: KerasTensor, c: KerasTensor, d: KerasTensor) -> KerasTensor:
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
        InputError: a shape is not of rank 4, or the shapes differ. Where shapes are known only
            when the graph runs, the op raises `tf.errors.InvalidArgumentError`.
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
    """Interleaves a list of four maps `[a, b, c, d]`, see `interleave`.

    Input: four (N, H, W, C). Output: (N, 2H, 2W, C).
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # XLA cannot compile a custom op; Keras then runs the model's functions without XLA.
        self.supports_jit = not custom_op_available()

    def call(self, inputs: Sequence[KerasTensor]) -> KerasTensor:
        a, b, c, d = inputs
        return interleave(a, b, c, d)

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tuple:
        _check_shapes(input_shape)
        batch, height, width, channels = input_shape[0]
        return batch, height and 2 * height, width and 2 * width, channels


@contextlib.contextmanager
def standard_operators() -> Iterator[None]:
    """Keeps the custom op out of what is traced within this block, in all threads.

    Exported models must load without this library, and XLA (`jit_compile=True`) cannot compile a
    custom op. A `tf.function` traced before the block keeps the op.
    """
    global _standard_operators_asked
    _standard_operators_asked += 1
    try:
        yield
    finally:
        _standard_operators_asked -= 1


def custom_op_available() -> bool:
    """Returns whether `interleave` would run the custom op now; loads it on first use."""
    return not _standard_operators_asked and _library() is not None


def library_path() -> Path:
    """Returns the path of the op's library, built or not.

    The name holds TensorFlow's version and a hash of the sources. A library built for another
    TensorFlow, whose C++ interface differs, or from older sources is therefore not found.

    Raises:
        InputError: the user has no home folder, and XDG_CACHE_HOME is not set.
    """
    import tensorflow as tf

    folder = files.resource_folder("custom_ops") / "interleave"
    sources = b"".join((folder / name).read_bytes() for name in OP_SOURCES)
    stamp = f"tf{tf.__version__}-{hashlib.sha256(sources).hexdigest()[:12]}"
    return _cache_folder() / "keras_depth" / f"interleave-{stamp}.so"


def _cache_folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():  # others are to be ignored, says the XDG Base Directory specification
        return named
    try:
        return Path.home() / ".cache"
    except RuntimeError as error:  # a container's user without an entry in passwd
        raise InputError(
            "this user has no home folder; set XDG_CACHE_HOME to a folder for the op's library"
        ) from error


def has_cuda_kernels(library: Path) -> bool:
    """Returns whether a built library has the section that nvcc puts CUDA kernels in."""
    return b".nv_fatbin" in library.read_bytes()


@functools.cache
def _library() -> Any:
    """Returns the loaded op's Python module, or None after one warning that says why not."""
    import tensorflow as tf

    try:
        path = library_path()
        if not os.path.isfile(path):  # nor in a folder that may not be read
            problem = "is not built"
        elif tf.config.list_physical_devices("GPU") and not has_cuda_kernels(path):
            problem = "has no CUDA kernels, because nvcc was missing or failed when it was built"
        else:
            library = tf.load_op_library(str(path))
            _register_gradients()
            return library
    except InputError as error:
        problem = f"has no place ({error})"
    except (tf.errors.OpError, RuntimeError, OSError) as error:  # another user's, or damaged
        problem = f"does not load ({error})"
    warnings.warn(
        f"the interleave op {problem}; `python -m keras_depth.build_ops --force` builds it, "
        "and keras.ops does its work until then",
        stacklevel=2,
    )
    return None


@functools.cache
def _register_gradients() -> None:
    """Tells TensorFlow, once a process, that each of the two ops is the other's gradient."""
    import tensorflow as tf

    @tf.RegisterGradient("KerasDepth>Interleave")
    def _interleave_gradient(op: Any, gradient: Any) -> Any:
        return _library().keras_depth_deinterleave(gradient)

    @tf.RegisterGradient("KerasDepth>Deinterleave")
    def _deinterleave_gradient(op: Any, *gradients: Any) -> Any:
        return _library().keras_depth_interleave(*gradients)


def _check_shapes(shapes: Sequence) -> None:
    """Raises InputError unless the static shapes, as far as known, are equal and of rank 4."""
    known = [tuple(shape) for shape in shapes if getattr(shape, "rank", 4) is not None]
    equal = all(len(shape) == 4 for shape in known) and all(
        len(set(sides) - {None}) <= 1 for sides in zip(*known, strict=True)
    )
    if not equal:
        raise InputError(
            "interleave takes four maps of one shape (N, H, W, C), not "
            + ", ".join(str(shape) for shape in known)
        )
