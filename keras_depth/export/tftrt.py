"""Converts a SavedModel's operators to TensorRT engines (TF-TRT), checks the result and times it.

Run it on the machine that will use the engines, a Jetson or another with an NVIDIA GPU: engines run
on no other. Copy this one file there. It needs TensorFlow 2.5 to 2.17 and NumPy, and keeps to the
syntax of Python 3.6, which JetPack 4 has:

    python3 tftrt.py SAVED_MODEL --precision FP16 --output DIR --images check.npz
"""

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import tensorflow as tf

SIGNATURE = "serving_default"
WARM_UP = 5  # calls before the timed ones
# Accepted mean relative difference of depth. FP32 engines round as TensorFloat-32 does where the
# GPU has it.
LIMITS = {"FP32": 1e-3, "FP16": 1e-2, "INT8": 1e-1}
NEEDS = (
    "TF-TRT needs an NVIDIA GPU, TensorFlow 2.17 or earlier and the TensorRT it was built with:"
    " 8.6.1 for PyPI's TensorFlow 2.15 to 2.17, 8.4.3 or a later 8 for 2.12. A Jetson needs"
    " NVIDIA's own build of TensorFlow for its JetPack, which comes with TensorRT."
)


class Problem(Exception):
    """Bad input, or a machine that cannot convert; the message says what to do."""


def unavailable():
    """Returns None where TF-TRT can convert, else why it cannot and what it needs."""
    name = f"TensorFlow {tf.__version__}"
    if not tf.sysconfig.get_build_info().get("is_tensorrt_build"):
        return f"{name} was built without TensorRT. {NEEDS}"
    if not tf.config.list_physical_devices("GPU"):
        return f"{name} sees no GPU here. {NEEDS}"
    # In a process of its own: without the library TensorFlow 2.5 aborts instead of raising.
    probe = "import tensorflow as tf; tf.experimental.tensorrt.Converter(input_saved_model_dir='')"
    tried = subprocess.run(
        [sys.executable, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        return f"{name} finds no TensorRT that it can use ({said[-1].strip()}). {NEEDS}"
    return None


def convert(saved_model, output, precision, images=None, repeats=50):
    """Converts a SavedModel, builds its engines, compares both and times both.

    Engines are built for the model's batch, or for one image where it takes any number.

    Args:
        saved_model: folder with saved_model.pb. Its signature `serving_default` takes `image`
            (B, H, W, 3), H and W fixed, and returns `depth`, float32 (B, h, w, 1), metres.
        output: folder to be made for the converted SavedModel and this report, tftrt.json. It is
            written whole or not at all.
        precision: "FP32", "FP16" or "INT8".
        images: .npz file. `image` (N, H, W, 3) is compared, `depth` (N, h, w, 1) is what it must
            give. For INT8 also `calibration` (M, H, W, 3): images from which TensorRT learns the
            range of every map. None: noise, and the SavedModel's own depth of it.
        repeats: timed calls of each model.

    Returns:
        The report, a dict. `passed` says whether depth is accurate enough; times are medians.

    Raises:
        Problem: bad input, or no TF-TRT on this machine.
    """
    saved_model, output = Path(saved_model), Path(output)
    _check_output(output)
    if precision not in LIMITS:
        raise Problem(f"unknown precision {precision!r}; give one of {', '.join(LIMITS)}")
    original = _Network(saved_model)
    arrays = _read(images, original, precision) if images else _noise(original, precision)
    reason = unavailable()
    if reason:
        raise Problem(reason)
    beside = Path(tempfile.mkdtemp(prefix=".partial-", dir=str(output.absolute().parent)))
    try:
        partial = beside / output.name
        report = _convert_and_check(original, partial, precision, arrays, repeats)
        (partial / "tftrt.json").write_text(json.dumps(report, indent=1) + "\n")
        partial.rename(output)
    finally:
        shutil.rmtree(str(beside), ignore_errors=True)
    return report


def _check_output(output):
    if output.exists() or output.is_symlink():
        raise Problem(f"{output}: exists already; give a folder that does not")
    if not output.absolute().parent.is_dir():
        raise Problem(f"{output}: there is no folder {output.absolute().parent} to make it in")


def _convert_and_check(original, folder, precision, arrays, repeats):
    """Converts into a folder; returns the report."""
    seconds = _convert(original, folder, precision, arrays)
    built = _engines_built(folder)
    if not built:
        raise Problem(
            f"{original.folder}: TensorRT built no engine; what TensorFlow printed above says why"
        )
    converted = _Network(folder)
    image, expected = arrays["image"], arrays.get("depth")
    if expected is None:
        expected = original.depths(image)
    report = {
        "saved_model": str(original.folder),
        "precision": precision,
        "image": [original.batch] + original.shape,
        "tensorflow": tf.__version__,
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "seconds_to_convert": round(seconds, 1),
        "engines": converted.engines(),
        "engines_built": built,
    }
    report.update(compare(converted.depths(image), expected, precision))
    report["milliseconds"] = _milliseconds(original, converted, image, repeats)
    return report


def compare(depth, expected, precision):
    """Compares depth with what it should be.

    Args:
        depth, expected: float (N, h, w, 1), metres.
        precision: "FP32", "FP16" or "INT8"; `LIMITS` has its accepted mean relative difference.

    Returns:
        Dict. Differences are in metres; relative ones are divided by the expected depth, or by its
        median where that is larger. None: depth is not finite.
    """
    difference = np.abs(depth.astype(np.float64) - expected)
    size = np.abs(expected.astype(np.float64))
    relative = difference / np.maximum(np.maximum(size, np.median(size)), np.finfo(np.float32).tiny)
    values = {
        "largest_difference": difference.max(),
        "mean_difference": difference.mean(),
        "largest_relative_difference": relative.max(),
        "mean_relative_difference": relative.mean(),
    }
    report = {name: float(x) if math.isfinite(x) else None for name, x in values.items()}
    passed = bool(values["mean_relative_difference"] <= LIMITS[precision])
    return {**report, "limit_of_mean_relative": LIMITS[precision], "passed": passed}


class _Network:
    """A loaded SavedModel: images in, metres out."""

    def __init__(self, folder):
        if not (folder / "saved_model.pb").is_file():
            raise Problem(f"{folder}: contains no saved_model.pb; give the folder of a SavedModel")
        try:
            self.loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
            raise Problem(
                f"{folder}: TensorFlow {tf.__version__} cannot load it ({_first_line(error)});"
                " give the frozen SavedModel, which has no variables"
            ) from None
        self.folder = folder
        self.function = self.loaded.signatures.get(SIGNATURE)
        inputs = self.function.structured_input_signature[1] if self.function else {}
        outputs = self.function.structured_outputs if self.function else {}
        if list(inputs) != ["image"] or "depth" not in outputs:
            raise Problem(
                f"{folder}: its signature {SIGNATURE} must take `image` and return `depth`, and it"
                f" takes {sorted(inputs)} and returns {sorted(outputs)}"
            )
        shape, self.dtype = inputs["image"].shape, inputs["image"].dtype.as_numpy_dtype
        if shape.rank != 4 or None in shape.as_list()[1:]:
            raise Problem(f"{folder}: `image` is {shape}; export it for images of a fixed size")
        self.batch, self.shape = shape.as_list()[0] or 1, shape.as_list()[1:]
        self.map_shape = outputs["depth"].shape[1:]

    def batches(self, images):
        """Yields full batches; images that do not fill one are left out."""
        for start in range(0, len(images) - self.batch + 1, self.batch):
            yield images[start : start + self.batch]

    def depth(self, image):
        return self.function(image=tf.constant(image))["depth"].numpy()

    def depths(self, images):
        return np.concatenate([self.depth(batch) for batch in self.batches(images)])

    def engines(self):
        return sum(op.type == "TRTEngineOp" for op in self.function.graph.get_operations())


# What np.load raises for a missing file, a broken one, and a single array (.npy) in `with`.
_UNREADABLE = (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile)


def _read(path, network, precision):
    """Reads the arrays of an .npz file, checks them, and cuts each to full batches."""
    shapes = {"image": network.shape, "depth": network.map_shape}
    if precision == "INT8":
        shapes["calibration"] = network.shape
    try:
        with np.load(str(path)) as file:
            lacking = [name for name in shapes if name not in file.files]
            arrays = {name: file[name] for name in shapes if name not in lacking}
    except _UNREADABLE as error:
        raise Problem(f"{path}: not a readable .npz file ({_first_line(error)})") from None
    if lacking:
        raise Problem(f"{path}: contains no {' and no '.join(lacking)}; {precision} needs it")
    for name, shape in shapes.items():
        array, wanted = arrays[name], np.dtype(np.float32 if name == "depth" else network.dtype)
        fits = array.ndim == 4 and tf.TensorShape(shape).is_compatible_with(array.shape[1:])
        if not fits or array.dtype != wanted or len(array) < network.batch:
            raise Problem(
                f"{path}: {name} is {array.dtype} {array.shape}; {network.folder} needs {wanted}"
                f" (N, {', '.join(map(str, shape))}) with N at least {network.batch}"
            )
    if len(arrays["image"]) != len(arrays["depth"]):
        raise Problem(
            f"{path}: {len(arrays['image'])} images in image and {len(arrays['depth'])} maps in"
            " depth; give the same number of both"
        )
    return {name: x[: len(x) // network.batch * network.batch] for name, x in arrays.items()}


def _noise(network, precision):
    if precision == "INT8":
        raise Problem(
            "INT8 needs images like those it will see; give --images, an .npz file with `image`,"
            " `depth` and `calibration`"
        )
    shape = [network.batch] + network.shape
    noise = np.random.RandomState(0).randint(0, 256, shape)
    is_integer = np.issubdtype(network.dtype, np.integer)
    return {"image": (noise if is_integer else noise / 255).astype(network.dtype)}


def _convert(network, folder, precision, arrays):
    """Writes the converted SavedModel with its engines; returns the seconds it took."""
    start = time.perf_counter()
    converter = tf.experimental.tensorrt.Converter(
        input_saved_model_dir=str(network.folder),
        # Explicit batch supports more operators. Up to TensorFlow 2.8, calibration for INT8 works
        # without it only.
        use_dynamic_shape=precision != "INT8",
        conversion_params=tf.experimental.tensorrt.ConversionParams(precision_mode=precision),
    )

    def calibration():
        for batch in network.batches(arrays["calibration"]):
            yield (tf.constant(batch),)

    def built_for():
        yield (tf.constant(arrays["image"][: network.batch]),)

    converter.convert(**({"calibration_input_fn": calibration} if precision == "INT8" else {}))
    converter.build(input_fn=built_for)
    converter.save(str(folder))
    return time.perf_counter() - start


def _engines_built(folder):
    """Counts the engines built ahead; TensorFlow's own operators run in place of others."""
    files = (folder / "assets").glob("trt-serialized-engine.*")
    return sum(file.stat().st_size > 0 for file in files)


def _milliseconds(original, converted, images, repeats):
    """Times both in turn, so that other load on the machine affects both alike; medians."""
    image = images[: original.batch]
    networks = {"original": original, "converted": converted}
    times = {name: [] for name in networks}  # type: dict
    for call in range(WARM_UP + repeats):
        for name, network in networks.items():
            start = time.perf_counter()
            network.depth(image)
            if call >= WARM_UP:
                times[name].append(time.perf_counter() - start)
    return {name: round(1e3 * float(np.median(values)), 3) for name, values in times.items()}


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _arguments(argv):
    parser = argparse.ArgumentParser(description="Convert a SavedModel with TF-TRT.")
    parser.add_argument("saved_model", metavar="SAVED_MODEL", help="folder with saved_model.pb")
    parser.add_argument("--precision", choices=sorted(LIMITS), default="FP16", help="default: FP16")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder to be made")
    parser.add_argument(
        "--images", metavar="NPZ", help="images and their depth, to compare; INT8 needs it"
    )
    parser.add_argument("--repeats", type=int, default=50, help="timed calls; default: 50")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error(f"argument --repeats: {arguments.repeats}: give 1 or more")
    return arguments


def main(argv=None):
    """Runs the command; returns 0, 1 where depth is not accurate enough, 2 where it cannot run."""
    arguments = _arguments(argv)
    for gpu in tf.config.list_physical_devices("GPU"):
        # By default TensorFlow takes all memory, and TensorRT needs some; a Jetson shares its own.
        tf.config.experimental.set_memory_growth(gpu, True)
    try:
        report = convert(**vars(arguments))
    except Problem as problem:
        print(f"tftrt.py: {problem}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1))
    if not report["passed"]:
        print(
            f"tftrt.py: {arguments.output}: depth differs from what it should be: the mean relative"
            f" difference is {report['mean_relative_difference']}, and the limit for"
            f" {arguments.precision} is {report['limit_of_mean_relative']}",
            file=sys.stderr,
        )
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
