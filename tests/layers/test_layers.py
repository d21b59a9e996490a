"""The layers: equalities that the networks rely on, and every layer's round trip."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_depth import images
from keras_depth import layers as our_layers
from keras_depth.errors import InputError
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
from keras_depth.layers.up_convolution import FORMS, split_kernel, unpool

ROOT = Path(__file__).resolve().parents[2]


def random(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def unpool_oracle(x):
    batch, height, width, channels = x.shape
    out = np.zeros((batch, 2 * height, 2 * width, channels), x.dtype)
    out[:, ::2, ::2] = x
    return out


@pytest.mark.parametrize("room", ["layers", "losses", "models"])
def test_tensorflow_is_imported_where_it_is_used(room):
    """Keras may run on another backend, and Keras alone is imported."""
    for file in (ROOT / "keras_depth" / room).rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            assert "tensorflow" not in ast.unparse(node).split(maxsplit=2)[1:2], file


def test_unpool_writes_top_left():
    x = random(2, 3, 5, 4)
    np.testing.assert_array_equal(unpool(x), unpool_oracle(x))


def test_split_kernel_uses_each_of_the_25_taps_once():
    kernel = np.arange(25).reshape(5, 5, 1, 1)
    parts = split_kernel(kernel)
    assert [part.shape[:2] for part in parts] == [(3, 3), (3, 2), (2, 3), (2, 2)]
    assert sorted(np.concatenate([part.ravel() for part in parts])) == list(range(25))
    np.testing.assert_array_equal(parts[1][..., 0, 0], [[1, 3], [11, 13], [21, 23]])


def both_forms(size, channels, filters):
    shape = (2, *size, channels)
    layers = [UpConvolution(filters, form=form) for form in ("unpool", "interleaved")]
    for layer in layers:
        layer.build(shape)
        layer.set_weights([random(5, 5, channels, filters), random(filters, seed=1)])
    return random(*shape, seed=2), layers


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 7), (8, 8)])
def test_both_forms_are_the_same_function(size):
    """Borders included: with odd, even and tiny maps."""
    x, (unpooled, interleaved) = both_forms(size, 3, 4)
    expected = unpooled(x)
    assert expected.shape == (2, 2 * size[0], 2 * size[1], 4)
    np.testing.assert_allclose(interleaved(x), expected, rtol=1e-5, atol=1e-5)


def test_unpool_form_is_a_5x5_convolution_of_the_unpooled_map():
    x, (unpooled, _) = both_forms((4, 5), 2, 3)
    kernel, bias = unpooled.get_weights()
    padded = np.pad(unpool_oracle(x), ((0, 0), (2, 2), (2, 2), (0, 0)))
    expected = np.zeros((2, 8, 10, 3))
    for row in range(8):
        for column in range(10):
            window = padded[:, row : row + 5, column : column + 5]
            expected[:, row, column] = np.einsum("brci,rcio->bo", window, kernel) + bias
    np.testing.assert_allclose(unpooled(x), expected, rtol=1e-4, atol=1e-4)


def test_both_forms_have_the_same_gradients():
    import tensorflow as tf

    x, layers = both_forms((5, 6), 3, 4)
    weight = random(2, 10, 12, 4, seed=3)
    gradients = []
    for layer in layers:
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(layer(x) * weight)
        gradients.append(tape.gradient(value, layer.trainable_weights))
    for unpooled, interleaved in zip(*gradients, strict=True):
        np.testing.assert_allclose(interleaved, unpooled, rtol=1e-4, atol=1e-4)


def test_laina_s_padding_is_another_function():
    """Padding the even kernels at the top and left, as Laina's code does, is not '+ T'."""
    x, (unpooled, _) = both_forms((6, 6), 2, 2)
    kernel, bias = unpooled.get_weights()
    maps = [
        ops.conv(
            np.pad(x, ((0, 0), (1, rows // 3), (1, columns // 3), (0, 0))), part, padding="valid"
        )
        + bias
        for part, (rows, columns) in zip(
            split_kernel(kernel), [(3, 3), (3, 2), (2, 3), (2, 2)], strict=True
        )
    ]
    expected = np.asarray(unpooled(x))
    actual = np.asarray(Interleave()(maps))
    np.testing.assert_allclose(actual[:, ::2, ::2], expected[:, ::2, ::2], rtol=1e-4, atol=1e-4)
    assert np.abs(actual[:, 1::2, 1::2] - expected[:, 1::2, 1::2]).mean() > 0.5


def test_caffe_preprocessing():
    """BGR, 0..255, minus ImageNet's means: the values keras.applications computes."""
    image = np.random.default_rng(0).uniform(size=(2, 4, 5, 3)).astype("float32")
    expected = keras.applications.resnet50.preprocess_input(image * 255.0)
    np.testing.assert_allclose(Preprocessing("caffe")(image), expected, rtol=1e-5, atol=1e-4)


def test_bad_arguments():
    with pytest.raises(
        InputError, match="unknown form of UpConvolution 'interleave': did you mean 'interleaved'"
    ):
        UpConvolution(4, form="interleave")
    with pytest.raises(InputError, match="filters=0: give a whole number of 1 or more"):
        InterleavedConvolution(0)
    with pytest.raises(InputError, match="mode of Preprocessing 'cafe': did you mean 'caffe'"):
        Preprocessing("cafe")


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


def test_channel_statistics():
    x = random(2, 3, 4, 5)
    mean, highest, lowest = x.mean(-1), x.max(-1), x.min(-1)
    cbam, eda = (np.array(ChannelStatistics(kind)(x)) for kind in ("cbam", "eda"))
    np.testing.assert_allclose(cbam, np.stack([mean, highest], -1), atol=1e-6)
    np.testing.assert_allclose(eda, np.stack([mean - lowest, highest - lowest], -1), atol=1e-6)
    with pytest.raises(InputError, match="unknown kind of ChannelStatistics 'eca': did you mean"):
        ChannelStatistics("eca")


@pytest.mark.parametrize("after", [(8, 12), (5, 7), (1, 3), (3, 1)])
def test_resize_with_aligned_corners(after):
    """The first and the last pixels keep their values; between them by straight lines."""
    x = random(2, 4, 6, 3)
    result = np.array(BilinearResize(after, align_corners=True)(x))
    assert result.shape == (2, *after, 3)
    np.testing.assert_allclose(result[:, 0, 0], x[:, 0, 0], rtol=1e-5)
    if min(after) > 1:
        np.testing.assert_allclose(result[:, -1, -1], x[:, -1, -1], rtol=1e-5)
        y, column = 3 / (after[0] - 1), 5 / (after[1] - 1)
        top, left = int(y), int(column)
        mean = [
            (1 - abs(top + i - y)) * (1 - abs(left + j - column)) * x[:, top + i, left + j]
            for i in (0, 1)
            for j in (0, 1)
            if abs(top + i - y) < 1 and abs(left + j - column) < 1
        ]
        np.testing.assert_allclose(result[:, 1, 1], sum(mean), rtol=1e-4, atol=1e-5)


def test_resize_by_half_pixels_is_upsampling():
    x = random(2, 4, 6, 3)
    twice = keras.layers.UpSampling2D(2, interpolation="bilinear")
    np.testing.assert_allclose(BilinearResize((8, 12))(x), twice(x), rtol=1e-5, atol=1e-6)
    for size in ((0, 3), (3,), (2.5, 3)):
        with pytest.raises(InputError, match=r"give \(height, width\) in pixels"):
            BilinearResize(size)


SIZES = [(8, 12), (5, 7), (4, 6), (9, 3), (1, 1)]


@pytest.mark.parametrize("after", SIZES)
def test_resize_by_matmul_is_the_same_function(after):
    """Of several maps with one channel, too, which a constant on the right would break."""
    equal = {
        "bilinear": BilinearResize(after),
        "aligned": BilinearResize(after, align_corners=True),
        "adaptive": keras.layers.AdaptiveAveragePooling2D(after),
    }
    for channels in (1, 3):
        x = random(3, 4, 6, channels)
        for rule, layer in equal.items():
            np.testing.assert_allclose(MatmulResize(after, rule)(x), layer(x), atol=1e-5)
    with pytest.raises(InputError, match="unknown rule of MatmulResize 'bilinaer': did you mean"):
        MatmulResize(after, "bilinaer")


@pytest.mark.parametrize("after", SIZES)
def test_pictures_are_resized_as_in_use(after):
    """One side may shrink and the other grow; OpenCV has one rule for both."""
    x = random(4, 6, 3)
    np.testing.assert_allclose(
        MatmulResize(after, "image")(x[None])[0], images.resize(x, after), atol=1e-5
    )
    flat = np.ones((1, 4, 6, 1), np.float32)
    np.testing.assert_allclose(MatmulResize(after, "image")(flat), 1, rtol=1e-6)


def test_the_nearest_pixel_of_twice_the_size():
    x = random(2, 4, 6, 3)
    np.testing.assert_array_equal(NearestResize((8, 12))(x), keras.layers.UpSampling2D(2)(x))


def test_minmax_of_each_picture():
    x = np.stack([0.2 + 0.3 * np.linspace(0, 1, 12).reshape(2, 2, 3), np.full((2, 2, 3), 0.7)])
    result = np.array(Preprocessing("minmax")(x.astype("float32")))
    np.testing.assert_allclose(result[0].ravel(), np.linspace(0, 1, 12), atol=1e-5)
    np.testing.assert_array_equal(result[1], 0)


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
