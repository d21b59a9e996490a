"""Puts a SavedModel's operators into TensorRT engines (TF-TRT), checks the result and times it.

For the machine that will run it, a Jetson or another with an NVIDIA GPU: engines fit no other.
This one file is all that it takes there. It needs TensorFlow 2.5 to 2.17 and NumPy, and its syntax
is that of Python 3.6, which JetPack 4 has:

    python3 tftrt.py SAVED_MODEL --precision FP16 --output DIR --pictures pictures.npz
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
# How far converted depth may lie from the network's: the mean of its relative differences. FP32
# engines round as TensorFloat-32 does where the GPU has it.
LIMITS = {"FP32": 1e-3, "FP16": 1e-2, "INT8": 1e-1}
NEEDS = (
    "TF-TRT needs an NVIDIA GPU, TensorFlow 2.17 or earlier and the TensorRT it was built with:"
    " 8.6.1 for PyPI's TensorFlow 2.15 to 2.17, 8.4.3 or a later 8 for 2.12. A Jetson needs"
    " NVIDIA's own build of TensorFlow for its JetPack, which comes with TensorRT."
)


class Problem(Exception):
    """Bad input, or a machine that cannot do it; the message says what to do."""


def unavailable():
    """Returns None where TF-TRT can convert, else one paragraph: why not, and what it needs."""
    name = f"TensorFlow {tf.__version__}"
    if not tf.sysconfig.get_build_info().get("is_tensorrt_build"):
        return f"{name} was built without TensorRT. {NEEDS}"
    if not tf.config.list_physical_devices("GPU"):
        return f"{name} sees no GPU here. {NEEDS}"
    # In a process of its own: without the library TensorFlow 2.5 does not raise but aborts.
    probe = "import tensorflow as tf; tf.experimental.tensorrt.Converter(input_saved_model_dir='')"
    tried = subprocess.run(
        [sys.executable, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if tried.returncode:
        said = tried.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        return f"{name} finds no TensorRT that it can use ({said[-1].strip()}). {NEEDS}"
    return None


def convert(saved_model, output, precision, pictures=None, repeats=50):
    """Converts a SavedModel, builds its engines, compares it with what it was, and times both.

    Engines are built for as many pictures at once as the model takes, and for one where it takes
    any number.

    Args:
        saved_model: folder with saved_model.pb. Its signature `serving_default` takes `image`
            (B, H, W, 3), H and W fixed, and returns `depth`, float32 (B, h, w, 1), metres.
        output: folder to be made: the converted SavedModel, and this report as tftrt.json. It is
            there whole or not at all.
        precision: "FP32", "FP16" or "INT8".
        pictures: .npz file. `image` (N, H, W, 3) is what the results are compared on, `depth`
            (N, h, w, 1) is what they should be. For INT8 also `calibration` (M, H, W, 3): pictures
            from which TensorRT learns the range of every map. None: noise, and what the SavedModel
            makes of it.
        repeats: timed calls of each model.

    Returns:
        The report, a dict. `passed` says whether depth is as it should be; times are medians.

    Raises:
        Problem: bad input, or no TF-TRT here.
    """
    saved_model, output = Path(saved_model), Path(output)
    if precision not in LIMITS:
        raise Problem(f"precision {precision!r}: give one of {', '.join(LIMITS)}")
    if output.exists() or output.is_symlink():
        raise Problem(f"{output}: is there already; give a folder that is not")
    if not output.absolute().parent.is_dir():
        raise Problem(f"{output}: there is no folder {output.absolute().parent} to make it in")
    original = _Network(saved_model)
    arrays = _read(pictures, original, precision) if pictures else _noise(original, precision)
    reason = unavailable()
    if reason:
        raise Problem(reason)

    beside = Path(tempfile.mkdtemp(prefix=".partial-", dir=str(output.absolute().parent)))
    try:
        partial = beside / output.name
        seconds = _convert(original, partial, precision, arrays)
        built = _engines_built(partial)
        if not built:
            raise Problem(
                f"{saved_model}: TensorRT built no engine; what TensorFlow printed above says why"
            )
        converted = _Network(partial)
        report = {
            "saved_model": str(saved_model),
            "precision": precision,
            "image": [original.batch] + original.shape,
            "tensorflow": tf.__version__,
            "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
            "seconds_to_convert": round(seconds, 1),
            "engines": converted.engines(),
            "engines_built": built,
        }
        expected = arrays.get("depth")
        if expected is None:
            expected = original.depths(arrays["image"])
        report.update(compare(converted.depths(arrays["image"]), expected, precision))
        report["milliseconds"] = _milliseconds(original, converted, arrays["image"], repeats)
        (partial / "tftrt.json").write_text(json.dumps(report, indent=1) + "\n")
        partial.rename(output)
    finally:
        shutil.rmtree(str(beside), ignore_errors=True)
    return report


def compare(depth, expected, precision):
    """Returns how far depth lies from what it should be, and whether that is near enough.

    Args:
        depth, expected: float (N, h, w, 1), metres.
        precision: "FP32", "FP16" or "INT8": the mean relative difference may be `LIMITS` of it.

    Returns:
        Dict. Differences are in metres; a relative one is of the expected depth, or of its median
        where it is nearer than that. None: depth is not finite.
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
    """A SavedModel that is loaded: pictures in, metres out."""

    def __init__(self, folder):
        if not (folder / "saved_model.pb").is_file():
            raise Problem(f"{folder}: holds no saved_model.pb; give the folder of a SavedModel")
        try:
            self.loaded = tf.saved_model.load(str(folder))
        except (OSError, ValueError, KeyError, RuntimeError, tf.errors.OpError) as error:
            raise Problem(
                f"{folder}: TensorFlow {tf.__version__} does not load it ({_first_line(error)});"
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
            raise Problem(f"{folder}: `image` is {shape}; export it for one size of pictures")
        self.batch, self.shape = shape.as_list()[0] or 1, shape.as_list()[1:]
        self.map_shape = outputs["depth"].shape[1:]

    def batches(self, images):
        """Yields as many pictures at once as it takes; a rest that is not enough is left out."""
        for start in range(0, len(images) - self.batch + 1, self.batch):
            yield images[start : start + self.batch]

    def depth(self, image):
        return self.function(image=tf.constant(image))["depth"].numpy()

    def depths(self, images):
        return np.concatenate([self.depth(batch) for batch in self.batches(images)])

    def engines(self):
        return sum(op.type == "TRTEngineOp" for op in self.function.graph.get_operations())


# What np.load raises of no file, of a broken one, and of one array (.npy) in `with`.
_UNREADABLE = (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile)


def _read(path, network, precision):
    """Returns the arrays of a file of pictures, checked, each cut to whole batches."""
    shapes = {"image": network.shape, "depth": network.map_shape}
    if precision == "INT8":
        shapes["calibration"] = network.shape
    try:
        with np.load(str(path)) as file:
            lacking = [name for name in shapes if name not in file.files]
            arrays = {name: file[name] for name in shapes if name not in lacking}
    except _UNREADABLE as error:
        raise Problem(f"{path}: is no .npz file that can be read ({_first_line(error)})") from None
    if lacking:
        raise Problem(f"{path}: holds no {' and no '.join(lacking)}; {precision} needs it")
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
            f"{path}: {len(arrays['image'])} pictures in image and {len(arrays['depth'])} maps in"
            " depth; give as many of both"
        )
    return {name: x[: len(x) // network.batch * network.batch] for name, x in arrays.items()}


def _noise(network, precision):
    if precision == "INT8":
        raise Problem(
            "INT8 needs pictures like those it will see: give --pictures, an .npz file with"
            " `image`, `depth` and `calibration`"
        )
    shape = [network.batch] + network.shape
    noise = np.random.RandomState(0).randint(0, 256, shape)
    whole = np.issubdtype(network.dtype, np.integer)
    return {"image": (noise if whole else noise / 255).astype(network.dtype)}


def _convert(network, folder, precision, arrays):
    """Writes the converted SavedModel with its engines; returns the seconds that took."""
    start = time.perf_counter()
    converter = tf.experimental.tensorrt.Converter(
        input_saved_model_dir=str(network.folder),
        # Explicit batch: more operators. Until TensorFlow 2.8 INT8 was calibrated without it only.
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
    """Returns how many engines were built ahead; for others TensorFlow's own operators run."""
    files = (folder / "assets").glob("trt-serialized-engine.*")
    return sum(file.stat().st_size > 0 for file in files)


def _milliseconds(original, converted, images, repeats):
    """Times both in turn, so that what else the machine does meets them alike; medians."""
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
        "--pictures", metavar="NPZ", help="pictures and their depth, to compare; INT8 needs it"
    )
    parser.add_argument("--repeats", type=int, default=50, help="timed calls; default: 50")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error(f"argument --repeats: {arguments.repeats}: give 1 or more")
    return arguments


def main(argv=None):
    """Runs the command; returns 0, 1 where depth is not as it should be, or 2 where it cannot."""
    arguments = _arguments(argv)
    for gpu in tf.config.list_physical_devices("GPU"):
        # Else TensorFlow takes the memory that TensorRT needs; on a Jetson it is the board's.
        tf.config.experimental.set_memory_growth(gpu, True)
    try:
        report = convert(**vars(arguments))
    except Problem as problem:
        print(f"tftrt.py: {problem}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1))
    if not report["passed"]:
        print(
            f"tftrt.py: {arguments.output}: its depth differs from what it should be: the mean"
            f" relative difference is {report['mean_relative_difference']}, and"
            f" {arguments.precision} may have {report['limit_of_mean_relative']}",
            file=sys.stderr,
        )
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
