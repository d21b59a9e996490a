"""The interleave op, its standard-operator form and its layer, against tf.nn.depth_to_space."""

import re
import shutil
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import build_ops
from keras_depth.errors import InputError
from keras_depth.layers import interleave as module
from keras_depth.layers.interleave import (
    Interleave,
    custom_op_available,
    interleave,
    standard_operators,
)

DTYPES = ["float16", "bfloat16", "float32", "float64", "int32", "uint8"]


@pytest.fixture(scope="session")
def built_op():
    """Builds the op into the user's cache unless it is there (20 s), as `make train` does."""
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed: the custom op cannot be built")
    build_ops.build()
    module._library.cache_clear()


@pytest.fixture(params=["op", "standard"])
def form(request):
    """Runs a test with the custom op, and with standard operators."""
    if request.param == "op":
        request.getfixturevalue("built_op")
        assert custom_op_available()
        yield request.param
    else:
        with standard_operators():
            assert not custom_op_available()
            yield request.param


@pytest.fixture(params=["eager", "graph"])
def call(request, form):
    """Runs a test eagerly, and in a tf.function."""
    return interleave if request.param == "eager" else tf.function(interleave)


def four_maps(shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).integers(0, 200, size=(4, *shape))
    return [tf.cast(tf.constant(value), dtype) for value in values]


def depth_to_space(maps):
    return tf.nn.depth_to_space(tf.concat(maps, axis=-1), 2)


def refused(call, message):
    """Expects an InputError, which a tf.function may wrap in an error of its own."""
    return pytest.raises(InputError if call is interleave else Exception, match=message)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_puts_a_b_over_c_d(call, dtype):
    maps = [tf.cast(tf.fill((1, 1, 2, 1), value), dtype) for value in (1, 2, 3, 4)]
    large = call(*maps)
    assert large.dtype == dtype
    expected = [[1, 2, 1, 2], [3, 4, 3, 4]]
    np.testing.assert_array_equal(tf.cast(large, "int32")[0, :, :, 0], expected)


def test_channels_and_images_stay_together(call):
    a, b, c, d = (np.arange(8).reshape(2, 1, 2, 2) + 10 * i for i in (1, 2, 3, 4))
    large = call(*(tf.constant(x, "int32") for x in (a, b, c, d)))
    first = [
        [[10, 11], [20, 21], [12, 13], [22, 23]],
        [[30, 31], [40, 41], [32, 33], [42, 43]],
    ]
    np.testing.assert_array_equal(large[0], first)
    np.testing.assert_array_equal(large[1], np.add(first, 4))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(2, 3, 5, 1), (1, 7, 3, 3), (3, 5, 4, 8), (2, 15, 20, 33)])
def test_equals_depth_to_space(call, dtype, shape):
    maps = four_maps(shape, dtype)
    np.testing.assert_array_equal(call(*maps), depth_to_space(maps))


def test_a_thousand_random_shapes(built_op):
    draw = np.random.default_rng(1)
    for seed in range(1000):
        shape = (draw.integers(1, 4), *draw.integers(1, 9, size=2), draw.integers(1, 40))
        maps = four_maps(shape, draw.choice(DTYPES), seed)
        np.testing.assert_array_equal(
            interleave(*maps), depth_to_space(maps), err_msg=str((shape, maps[0].dtype))
        )


@pytest.mark.parametrize("shape", [(2, 61, 83, 100), (1, 129, 131, 64)])
def test_large_maps(built_op, shape):
    """Split over threads; above 16 MB, with stores past the caches, in both directions."""
    maps = four_maps(shape)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        large = interleave(*maps)
    np.testing.assert_array_equal(large, depth_to_space(maps))
    gradients = tape.gradient(large, maps, output_gradients=large)
    for gradient, x in zip(gradients, maps, strict=True):
        np.testing.assert_array_equal(gradient, x)


def test_maps_that_start_anywhere_in_memory(built_op):
    """A slice of a batch is a view, which need not start at a multiple of 16 bytes."""
    maps = [x[1] for x in four_maps((2, 1, 3, 5, 1), "uint8")]
    np.testing.assert_array_equal(interleave(*maps), depth_to_space(maps))


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5)])
def test_empty_maps(call, shape):
    batch, height, width, channels = shape
    assert call(*four_maps(shape)).shape == (batch, 2 * height, 2 * width, channels)


def test_no_channels(built_op):
    assert interleave(*four_maps((2, 3, 4, 0))).shape == (2, 6, 8, 0)


@pytest.mark.parametrize(
    ("known", "doubled"),
    [
        ([None, None, None, None], [None, None, None, None]),
        ([None, 3, None, 5], [None, 6, None, 5]),
        ([2, None, 4, None], [2, None, 8, None]),
        (None, [None, None, None, None]),
    ],
)
def test_unknown_dimensions(form, known, doubled):
    function = tf.function(interleave, input_signature=[tf.TensorSpec(known)] * 4)
    graph_output = function.get_concrete_function().outputs[0]
    assert graph_output.shape.as_list() == doubled
    maps = four_maps((2, 3, 4, 5))
    np.testing.assert_array_equal(function(*maps), depth_to_space(maps))


def test_one_known_map_tells_the_shape_of_all(built_op):
    specs = [tf.TensorSpec([None] * 4)] * 3 + [tf.TensorSpec([2, 3, 4, 5])]
    concrete = tf.function(interleave, input_signature=specs).get_concrete_function()
    assert concrete.outputs[0].shape == (2, 6, 8, 5)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("axis", range(4))
def test_a_different_shape_is_refused_with_all_four(call, which, axis):
    shapes = [[1, 2, 3, 4] for _ in range(4)]
    shapes[which][axis] += 1
    told = re.escape(", ".join(str(tuple(shape)) for shape in shapes))
    with refused(call, rf"four maps of one shape \(N, H, W, C\), not {told}"):
        call(*(tf.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("shape", [(), (4,), (3, 4, 5), (1, 2, 3, 4, 5)])
def test_a_rank_other_than_4_is_refused(call, shape):
    with refused(call, r"takes four maps of one shape \(N, H, W, C\), not"):
        call(*[tf.zeros(shape)] * 4)


@pytest.mark.parametrize("spec", [None, [None] * 4])
def test_shapes_known_only_at_run_time_are_refused_by_the_op(built_op, spec):
    function = tf.function(interleave, input_signature=[tf.TensorSpec(spec)] * 4)
    maps = [tf.zeros((1, 2, 3, 4))] * 3 + [tf.zeros((1, 2, 3, 5))]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        function(*maps)
    assert "not [1,2,3,4], [1,2,3,4], [1,2,3,4], [1,2,3,5]" in error.value.message


def test_a_rank_known_only_at_run_time_is_refused_by_the_op(built_op):
    function = tf.function(interleave, input_signature=[tf.TensorSpec(None)] * 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not \[2,3\], \[2,3\], \[2,3\]"):
        function(*[tf.zeros((2, 3))] * 4)


def test_deinterleave_refuses_odd_sides(built_op):
    for shape in [(1, 3, 4, 1), (1, 4, 3, 1), (4, 4, 1)]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="one map"):
            module._library().keras_depth_deinterleave(tf.zeros(shape))


def test_different_dtypes_are_refused(built_op):
    maps = four_maps((1, 2, 2, 1))
    maps[2] = tf.cast(maps[2], "float64")
    with pytest.raises((TypeError, tf.errors.InvalidArgumentError)):
        interleave(*maps)


def test_gradient_is_the_numerical_one(call):
    maps = [
        tf.random.stateless_normal((2, 2, 3, 2), seed=(i, 0), dtype="float64") for i in range(4)
    ]
    weights = tf.random.stateless_normal((2, 4, 6, 2), seed=(5, 0), dtype="float64")
    theoretical, numerical = tf.test.compute_gradient(
        lambda *x: tf.reduce_sum(weights * call(*x) ** 2), maps
    )
    for exact, measured in zip(theoretical, numerical, strict=True):
        np.testing.assert_allclose(exact, measured, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_gradient_is_four_strided_reads(call, dtype):
    maps = four_maps((2, 3, 5, 4), dtype)
    upstream = tf.cast(tf.reshape(tf.range(2 * 6 * 10 * 4) % 199, (2, 6, 10, 4)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        large = call(*maps)
    gradients = tape.gradient(large, maps, output_gradients=upstream)
    for gradient, (row, column) in zip(gradients, np.ndindex(2, 2), strict=True):
        np.testing.assert_array_equal(gradient, upstream[:, row::2, column::2])


def test_second_order_gradient(form):
    maps = [tf.fill((1, 1, 1, 1), value) for value in (1.0, 2.0, 3.0, 4.0)]
    with tf.GradientTape() as outer:
        outer.watch(maps)
        with tf.GradientTape() as inner:
            inner.watch(maps)
            cubes = tf.reduce_sum(interleave(*maps) ** 3)
        first = inner.gradient(cubes, maps)
        total = tf.add_n(first)
    second = [float(tf.squeeze(x)) for x in outer.gradient(total, maps)]
    assert second == [6.0, 12.0, 18.0, 24.0]


def test_a_map_without_influence_has_zero_gradient(form):
    maps = four_maps((1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        only_b = interleave(*maps)[:, 0::2, 1::2]
    gradients = tape.gradient(only_b, maps)
    assert [float(tf.reduce_sum(x)) for x in gradients] == [0, 4, 0, 0]


def test_functional_model_of_unknown_size(form):
    inputs = [keras.Input((None, None, 3)) for _ in range(4)]
    model = keras.Model(inputs, interleave(*inputs))
    assert model.output_shape == (None, None, None, 3)
    maps = four_maps((2, 3, 5, 3))
    np.testing.assert_array_equal(model(maps), depth_to_space(maps))


def test_functional_model_is_saved_and_loaded(form, tmp_path):
    inputs = [keras.Input((4, 6, 3)) for _ in range(4)]
    model = keras.Model(inputs, Interleave(name="interleave")(inputs))
    assert model.output_shape == (None, 8, 12, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    maps = four_maps((2, 4, 6, 3))
    np.testing.assert_array_equal(loaded(maps), model(maps))


def test_layer_config_is_its_constructors_arguments():
    config = Interleave(name="up").get_config()
    assert config["name"] == "up"
    assert Interleave.from_config(config).get_config() == config


def test_layer_refuses_different_shapes():
    with pytest.raises(InputError, match=r"not \(None, 4, 4, 1\), \(None, 4, 4, 2\)"):
        interleave(*(keras.Input((4, 4, channels)) for channels in (1, 2, 1, 1)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(form, policy):
    inputs = [keras.Input((2, 3, 4)) for _ in range(4)]
    large = Interleave(dtype=policy)(inputs)
    model = keras.Model(inputs, large)
    assert model(four_maps((1, 2, 3, 4))).dtype == large.dtype == policy.removeprefix("mixed_")


def test_model_with_the_layer_trains_with_keras_fit(form):
    image = keras.Input((4, 4, 1))
    branches = [keras.layers.Conv2D(2, 3, padding="same")(image) for _ in range(4)]
    model = keras.Model(image, interleave(*branches))
    model.compile("sgd", "mse")
    loss = model.fit(np.ones((2, 4, 4, 1)), np.zeros((2, 8, 8, 2)), epochs=3, verbose=0)
    assert loss.history["loss"][-1] < loss.history["loss"][0]


def test_xla_compiles_standard_operators(built_op):
    maps = four_maps((1, 2, 3, 4))
    with standard_operators():
        compiled = tf.function(interleave, jit_compile=True)(*maps)
    np.testing.assert_array_equal(compiled, depth_to_space(maps))


def test_standard_operators_leave_no_custom_op_in_an_exported_model(built_op, tmp_path):
    inputs = [keras.Input((None, None, 2)) for _ in range(4)]
    model = keras.Model(inputs, interleave(*inputs))

    def operators(path):
        graph = tf.saved_model.load(path).signatures["serving_default"].graph
        functions = graph.as_graph_def().library.function
        nodes = [*graph.as_graph_def().node, *(n for f in functions for n in f.node_def)]
        return {node.op for node in nodes}

    model.export(tmp_path / "with_op", verbose=False)
    assert "KerasDepth>Interleave" in operators(tmp_path / "with_op")
    with standard_operators():
        model.export(tmp_path / "standard", verbose=False)
    assert "DepthToSpace" in operators(tmp_path / "standard")
    assert not any("KerasDepth" in name for name in operators(tmp_path / "standard"))


def test_standard_operators_nest_and_end_after_an_error(built_op):
    with pytest.raises(RuntimeError), standard_operators():
        with standard_operators():
            pass
        assert not custom_op_available()
        raise RuntimeError
    assert custom_op_available()


def test_without_a_library_one_warning_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module._library.cache_clear()
    maps = four_maps((1, 2, 3, 4))
    try:
        with pytest.warns(UserWarning, match="is not built; `python -m keras_depth.build_ops"):
            large = interleave(*maps)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            interleave(*maps)
    finally:
        module._library.cache_clear()
    np.testing.assert_array_equal(large, depth_to_space(maps))


def test_a_broken_library_is_told_and_done_without(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module.library_path().parent.mkdir()
    module.library_path().write_bytes(b"not a library")
    module._library.cache_clear()
    maps = four_maps((1, 2, 3, 4))
    try:
        with pytest.warns(UserWarning, match="does not load .*build_ops --force"):
            large = interleave(*maps)
    finally:
        module._library.cache_clear()
    np.testing.assert_array_equal(large, depth_to_space(maps))


@pytest.mark.slow
def test_more_than_2_to_the_31_elements(built_op):
    maps = [tf.fill((1, 2, 4, 2**26 + 8), tf.constant(value, "uint8")) for value in (1, 2, 3, 4)]
    large = interleave(*maps)
    assert large.shape.num_elements() > 2**31
    corners = large[0, -2:, -2:, -1]  # the last bytes of the map
    np.testing.assert_array_equal(corners, [[1, 2], [3, 4]])
    assert [int(tf.reduce_min(large[0, y, x])) for y in (2, 3) for x in (6, 7)] == [1, 2, 3, 4]
