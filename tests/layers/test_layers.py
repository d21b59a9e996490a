"""Every layer: its config, its file, its dtype policy, its shapes."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_depth import layers as our_layers
from keras_depth.layers import (
    BilinearResize,
    ChannelStatistics,
    GroupedConv2D,
    Interleave,
    InterleavedConvolution,
    MatmulResize,
    NearestResize,
    Preprocessing,
    UpConvolution,
)
from keras_depth.layers.attention import STATISTICS
from keras_depth.layers.preprocessing import MODES
from keras_depth.layers.resize import RULES
from keras_depth.layers.up_convolution import FORMS
from tests.helpers.arrays import random

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("room", ["layers", "losses", "models"])
def test_tensorflow_is_imported_where_it_is_used(room):
    """Keras may run on another backend, and Keras alone is imported."""
    for file in (ROOT / "keras_depth" / room).rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            assert "tensorflow" not in ast.unparse(node).split(maxsplit=2)[1:2], file


LAYERS = [
    *((lambda form=form: UpConvolution(4, form), 1) for form in FORMS),
    (lambda: InterleavedConvolution(4), 1),
    (Interleave, 4),
    *((lambda mode=mode: Preprocessing(mode), 1) for mode in MODES),
    (lambda: BilinearResize((7, 9)), 1),
    (lambda: BilinearResize((7, 9), align_corners=True), 1),
    (lambda: NearestResize((7, 9)), 1),
    *((lambda rule=rule: MatmulResize((7, 9), rule), 1) for rule in RULES),
    (lambda: GroupedConv2D(6, 3, groups=3, padding="same"), 1),
    (lambda: GroupedConv2D(6, 3, groups=3, strides=2, activation="relu"), 1),
    *((lambda kind=kind: ChannelStatistics(kind), 1) for kind in STATISTICS),
]


def test_every_layer_is_tried_here():
    tried = {type(make()).__name__ for make, _ in LAYERS}
    assert tried == set(our_layers.__all__)


@pytest.mark.parametrize(("make", "inputs"), LAYERS)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("size", [(4, 6), (5, 3), (None, None)])
def test_every_layer(make, inputs, policy, size, tmp_path):
    """Config round trip, `.keras` file, dtype policy, odd and unknown sizes, two batch sizes."""
    keras.config.set_dtype_policy(policy)
    try:
        layer = make()
        symbols = [keras.Input((*size, 3)) for _ in range(inputs)]
        model = keras.Model(symbols, layer(symbols if inputs > 1 else symbols[0]))
    finally:
        keras.config.set_dtype_policy("float32")
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    height, width = (side or 5 for side in size)
    for batch in (1, 3):
        data = [random(batch, height, width, 3, seed=i) for i in range(inputs)]
        output = model(data)
        static = model.output_shape
        assert all(s in (None, o) for s, o in zip(static, output.shape, strict=True))
        assert output.dtype == policy.removeprefix("mixed_")
        np.testing.assert_array_equal(
            ops.cast(loaded(data), "float32"), ops.cast(output, "float32")
        )
