"""What is particular to ONNX."""

import keras
import numpy as np
import onnx
import onnxruntime

from keras_depth.export.onnx import write
from keras_depth.layers import GroupedConv2D, grouped_conv


def test_a_grouped_convolution_is_one_operator(tmp_path, monkeypatch):
    monkeypatch.setattr(grouped_conv, "has_native_gradient", lambda dtype: False)
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 10, 8), 1)
    x = GroupedConv2D(16, 3, groups=4, padding="same", use_bias=False)(image)
    x = keras.layers.BatchNormalization(gamma_initializer="ones")(x)
    depth = GroupedConv2D(4, 3, groups=2, strides=2, padding="same", activation="relu")(x)
    model = keras.Model(image, depth)
    write(model, tmp_path)
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    groups = [
        attribute.i
        for node in nodes
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "group"
    ]
    assert sorted(groups) == [2, 4]
    assert not {"Split", "Slice", "Concat"} & {node.op_type for node in nodes}
    picture = np.random.default_rng(0).normal(size=(1, 8, 10, 8)).astype("float32")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"image": picture})
    np.testing.assert_allclose(found, model(picture), rtol=1e-5, atol=1e-5)
