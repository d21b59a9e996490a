"""What the tests of exporting share: the command, and a network whose depth is known."""

import json
import sys

import keras
import numpy as np
import pytest

from keras_depth import command
from keras_depth.export import __main__ as export
from keras_depth.export import network, parity
from keras_depth.predict.exported import Exported

SIZE = (32, 48)


def call(*arguments):
    """Runs the command in this process; returns its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["export", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit:
            command.run(export.main)
    return exit.value.code


def bright_is_far(name="lite_basic_interl_t", size=SIZE, dtype=None):
    """A network whose depth is known: 10 m times the mean of R, G and B, at half the size."""
    image = keras.Input((*size, 3), name="image")
    x = keras.layers.AveragePooling2D(2, dtype=dtype)(image)
    weights = keras.initializers.Constant(10 / 3)
    depth = keras.layers.Conv2D(1, 1, kernel_initializer=weights, dtype=dtype)(x)
    return keras.Model(image, depth, name=name)


def write_tiny(folder, writers, batch, size, **entries):
    """Writes a network in each format: depth is twice what R, G and B add up to.

    Args:
        folder: a folder of each format is made in it.
        writers: of the package, by format.
        batch, size: of the images.
        entries: more of each export.json.
    """
    image = keras.Input((*size, 3))
    depth = keras.layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(2))(image)
    model = network.build(keras.Model(image, depth), "metric", batch=batch)
    for format, write in writers.items():
        (folder / format).mkdir()
        write(model, folder / format)
        details = {
            "format": format,
            "name": "mine",
            "input": {"dtype": "uint8", "shape": [batch, *size, 3], "layout": "NHWC"},
            "output": {},
            **entries,
        }
        (folder / format / "export.json").write_text(json.dumps(details))


def run_in_this_process(folder, images):
    """Does what `parity.run_alone` does, without the ten seconds of a fresh process."""
    exported = Exported(folder)
    batch = exported.batch or len(images)
    groups = [exported(images[i : i + batch]) for i in range(0, len(images), batch)]
    return parity.Run(np.concatenate(groups), milliseconds=2.5, peak_memory=3_000_000)
