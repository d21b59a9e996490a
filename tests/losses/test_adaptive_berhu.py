"""The moving threshold: its arithmetic, when it moves, and that it is saved and restored."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import losses
from keras_depth.errors import InputError


def row(*pixels):
    """One image of one row: (target, error) of its pixels, all valid."""
    target, error = np.array(pixels, "float32").T
    y_true = np.stack([target, np.ones_like(target)], -1)[None, None]
    return y_true, (target + error)[None, None, :, None]


def train(loss, y_true, y_pred):
    y_pred = tf.Variable(y_pred)
    with tf.GradientTape() as tape:
        value = loss(y_true, y_pred)
    tape.gradient(value, y_pred)
    return float(value)


def k_of(loss):
    return float(loss.state["k"].numpy())


def worse_beyond(k):
    return row((k + 0.05, 2.0), (k - 0.05, 1.0))


def worse_before(k):
    return row((k + 0.05, 1.0), (k - 0.05, 2.0))


def test_the_logged_run_step_by_step():
    """k0 = 0.8 and step n = 0.003 / (1 + 0.003 n), n = 1, 2, ...: the run behind the table."""
    loss = losses.get("adaptive_berhu", preset="run")
    k = 0.8
    script = ["up", "up", "down", "empty beyond", "up", "equal", "empty before", "nothing", "down"]
    signs = {"up": 1, "down": -1}
    for n, what in enumerate(script, start=1):
        batch = {
            "up": worse_beyond(k),
            "down": worse_before(k),
            "equal": row((k + 0.1, 1.0), (k - 0.1, -1.0), (k + 5, 9.0)),
            "empty beyond": row((k - 0.1, 1.0)),
            "empty before": row((k + 0.1, 1.0)),
            "nothing": (np.zeros((1, 1, 1, 2), "float32"), np.ones((1, 1, 1, 1), "float32")),
        }[what]
        train(loss, *batch)
        k += signs.get(what, 0) * 0.003 / (1 + 0.003 * n)
        assert int(loss.state["n"].numpy()) == n
        np.testing.assert_allclose(k_of(loss), k, rtol=3e-7, err_msg=f"step {n}, {what}")
    np.testing.assert_allclose(
        k, 0.8 + 0.003 * (1 / 1.003 + 1 / 1.006 - 1 / 1.009 + 1 / 1.015 - 1 / 1.027)
    )


@pytest.mark.parametrize(
    ("preset", "k0", "step"),
    [("paper", 1.0, 0.01), ("run", 0.8, 0.003 / 1.003), ("notebook", 1.0, 0.001)],
)
def test_presets(preset, k0, step):
    loss = losses.get("adaptive_berhu", preset=preset)
    assert k_of(loss) == np.float32(k0)
    train(loss, *worse_beyond(k0))
    np.testing.assert_allclose(k_of(loss), k0 + step, rtol=1e-6)


def test_windows_are_those_of_the_depth():
    # delta 0.5 about k = 1: 1.5 counts beyond, 0.5 before; 1.0 itself, 1.6 and 0.4 do not.
    loss = losses.get("adaptive_berhu", delta=0.5)
    train(loss, *row((1.5, 1.0), (0.5, 2.0), (1.0, 90.0), (1.6, 90.0), (0.4, -90.0)))
    assert k_of(loss) == np.float32(1 - 0.005)


def test_windows_pool_the_batch():
    # Means over all pixels of the batch: beyond (1 + 1 + 4) / 3 = 2 > 1.9; a mean of the images'
    # means would be (1 + 4) / 2 = 2.5, and the last image's alone would go down.
    loss = losses.get("adaptive_berhu")
    first, last = row((1.5, 1.0), (1.6, 1.0)), row((1.5, 4.0), (0.5, 1.9))
    train(loss, np.concatenate([first[0], last[0]]), np.concatenate([first[1], last[1]]))
    assert k_of(loss) == np.float32(1.01)
    loss = losses.get("adaptive_berhu")
    last = row((1.5, 4.0), (0.5, 2.1))
    train(loss, np.concatenate([first[0], last[0]]), np.concatenate([first[1], last[1]]))
    assert k_of(loss) == np.float32(0.99)


def test_k_stays_within_its_bounds():
    loss = losses.get("adaptive_berhu", k0=0.1, delta=0.08, rate=1.0)
    train(loss, *worse_before(0.1))
    assert k_of(loss) == np.float32(0.1)
    loss = losses.get("adaptive_berhu", k0=9.99)
    train(loss, *worse_beyond(9.99))
    train(loss, *worse_beyond(10.0))
    assert k_of(loss) == 10


def test_loss_uses_the_k_before_the_step():
    # k = 1 and the next is 1.01: the target at 1.005 is far for the old k: its error is squared.
    loss = losses.get("adaptive_berhu")
    y_true, y_pred = row((1.005, 2.0), (0.9, 1.0))
    # c = min(0.2 * 2, 0.5) = 0.4; near: (1 + 0.16) / 0.8
    near = (1 + 0.16) / 0.8
    np.testing.assert_allclose(train(loss, y_true, y_pred), (4 + near) / 2, rtol=1e-6)
    assert k_of(loss) == np.float32(1.01)
    both_near = ((4 + 0.16) / 0.8 + near) / 2
    np.testing.assert_allclose(loss(y_true, y_pred), both_near, rtol=1e-6)


def test_c_is_capped_and_the_loss_never_below_mse():
    y_true, y_pred = row((0.5, 5.0), (0.6, 0.2), (3.0, 1.0))
    value = losses.get("adaptive_berhu")(y_true, y_pred)  # 0.2 * 5 is more than 0.5
    np.testing.assert_allclose(value, (25.25 / 1 + 0.2 + 1) / 3, rtol=1e-6)
    assert value > losses.get("mse")(y_true, y_pred)
    y_true, y_pred = row((1.5, 5.0), (3.0, 1.0))  # nothing nearer than k: MSE
    assert losses.get("adaptive_berhu")(y_true, y_pred) == losses.get("mse")(y_true, y_pred)


def test_mode_error_is_the_papers_formula():
    loss = losses.get("adaptive_berhu", mode="error")
    y_true, y_pred = row((1.5, 2.0), (0.5, 0.5), (3.0, 1.0))
    value = train(loss, y_true, y_pred)  # k = 1: (4 + 1) / 2, 0.5, 1
    np.testing.assert_allclose(value, (2.5 + 0.5 + 1) / 3, rtol=1e-6)
    assert value == losses.get("berhu")(y_true, y_pred)
    # The windows compare BerHu: beyond (1.7² + 1) / 2 = 1.945, or 1.7; before (1 + 2.5) / 2 = 1.75,
    # or 1.5 where |e| is compared; chosen so that the two rules disagree.
    batch = row((1.5, 1.6), (0.5, 1.0), (0.5, 2.1))  # BerHu 1.78 < 1.8525; |e| 1.6 > 1.55
    for mode, k in [("error", 0.99), ("depth", 1.01)]:
        loss = losses.get("adaptive_berhu", mode=mode)
        train(loss, *batch)
        assert k_of(loss) == np.float32(k), mode


def test_k_takes_part_in_no_gradient_and_moves_only_with_one():
    loss = losses.get("adaptive_berhu")
    y_true, y_pred = worse_beyond(1.0)
    for _ in range(3):
        loss(y_true, y_pred)
        tf.function(loss)(y_true, y_pred)
    assert loss.state["n"].numpy() == 0 and k_of(loss) == 1
    assert not loss.state["k"].trainable and not loss.state["n"].trainable


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_moves_once_a_call_of_a_traced_step(jit):
    loss = losses.get("adaptive_berhu", preset="run")

    @tf.function(jit_compile=jit)
    def step(y_true, y_pred):
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            value = loss(y_true, y_pred)
        return tape.gradient(value, y_pred)

    batch = [tf.constant(x) for x in worse_beyond(0.8)]
    for _ in range(3):
        step(*batch)
    assert loss.state["n"].numpy() == 3
    expected = 0.8 + sum(0.003 / (1 + 0.003 * n) for n in (1, 2, 3))
    np.testing.assert_allclose(k_of(loss), expected, rtol=3e-7)


def fit_case():
    """A model and data whose errors beyond 1 m are the larger, so that k rises in every step."""
    keras.utils.set_random_seed(0)
    image = keras.Input((2, 2, 3))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, kernel_initializer="zeros")(image))
    y_true = np.ones((8, 2, 2, 2), "float32")
    y_true[:, 0, :, 0], y_true[:, 1, :, 0] = 1.5, 0.5
    return model, np.ones((8, 2, 2, 3), "float32"), y_true


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_fit_moves_k_and_validation_does_not(jit):
    model, x, y = fit_case()
    loss = losses.get("adaptive_berhu")
    model.compile(keras.optimizers.SGD(1e-4), loss=loss, jit_compile=jit)
    log = losses.LogLossState(loss)
    history = model.fit(
        x, y, batch_size=4, epochs=3, validation_data=(x, y), callbacks=[log], verbose=0
    ).history
    np.testing.assert_allclose(history["adaptive_berhu_k"], [1.02, 1.04, 1.06], rtol=1e-6)
    assert history["adaptive_berhu_n"] == [2, 4, 6]
    model.evaluate(x, y, verbose=0)
    assert loss.state["n"].numpy() == 6


def test_mixed_precision_fit_moves_k():
    _, x, y = fit_case()
    image = keras.Input((2, 2, 3))
    output = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", dtype="mixed_float16")(image)
    model, loss = keras.Model(image, output), losses.get("adaptive_berhu")
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-4))
    model.compile(optimizer, loss=loss, jit_compile=False)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    np.testing.assert_allclose(k_of(loss), 1.02, rtol=1e-6)


def test_state_travels_in_keras_and_weights_files(tmp_path):
    model, x, y = fit_case()
    loss = losses.get("adaptive_berhu", preset="run")
    model.compile(keras.optimizers.SGD(1e-4), loss=loss)
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.get_config() == loss.get_config()
    fresh, _, _ = fit_case()
    fresh.compile(keras.optimizers.SGD(1e-4), loss=losses.get("adaptive_berhu", preset="run"))
    fresh.fit(x, y, batch_size=8, epochs=1, verbose=0)
    fresh.load_weights(tmp_path / "model.weights.h5")
    for other in (loaded, fresh):
        assert other.loss.state["n"].numpy() == 2 and k_of(other.loss) == k_of(loss)
        other.fit(x, y, batch_size=8, epochs=1, verbose=0)
        assert other.loss.state["n"].numpy() == 3


def test_weights_without_state_load(tmp_path):
    model, x, y = fit_case()
    model.save_weights(tmp_path / "bare.weights.h5")
    loss = losses.get("adaptive_berhu", k0=2.0)
    model.compile("sgd", loss=loss)
    model.fit(x, y, epochs=1, verbose=0)
    model.load_weights(tmp_path / "bare.weights.h5")
    assert loss.state["n"].numpy() == 1


def test_state_goes_through_tf_checkpoints(tmp_path):
    loss = losses.get("adaptive_berhu")
    train(loss, *worse_beyond(1.0))
    values = {key: variable.value for key, variable in loss.state.items()}
    path = tf.train.Checkpoint(**values).write(str(tmp_path / "state"))
    again = losses.get("adaptive_berhu")
    values = {key: variable.value for key, variable in again.state.items()}
    tf.train.Checkpoint(**values).read(path).assert_consumed()
    assert k_of(again) == k_of(loss) and again.state["n"].numpy() == 1


REPLICAS = """
import numpy as np, tensorflow as tf
from keras_depth import losses
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    loss, bias = losses.get("adaptive_berhu", reduction="sum"), tf.Variable(0.0)
up = np.float32([[[[1.5, 1], [0.5, 1]]]]), np.float32([[[[3.5], [1.5]]]])
stay = up[0], np.float32([[[[2.5], [1.5]]]])

@tf.function
def step(y_true, y_pred):
    with tf.GradientTape() as tape:
        value = loss(y_true, y_pred + bias)
    return tape.gradient(value, bias)

def both(*batches):
    values = [
        strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(batches[context.replica_id_in_sync_group][i])
        )
        for i in (0, 1)
    ]
    strategy.run(step, args=values)
    k = [float(k) for k in strategy.experimental_local_results(loss.state["k"].value)]
    print(*(f"{x:.4f}" for x in k), loss.state["n"].numpy())

both(up, up)
both(up, stay)
"""


@pytest.mark.slow
def test_replicas_move_one_k_by_the_mean_of_their_steps():
    # A process of its own: a second CPU device has to be asked for before TensorFlow starts.
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-2:] == ["1.0100 1.0100 1", "1.0150 1.0150 2"]


def test_config_holds_the_presets_values():
    config = losses.get("adaptive_berhu", preset="run", k0=0.9).get_config()
    assert (config["k0"], config["delta"], config["rate"], config["decay"]) == (
        0.9,
        0.3,
        0.01,
        0.003,
    )
    assert losses.AdaptiveBerHu.from_config(json.loads(json.dumps(config))).get_config() == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "papr"}, "preset of AdaptiveBerHu 'papr': did you mean 'paper'"),
        ({"mode": "deph"}, "mode of AdaptiveBerHu 'deph': did you mean 'depth'"),
        ({"k0": 0.05}, "k0=0.05: give 0.1 to 10.0 metres"),
        ({"delta": 0}, "delta=0: give a number above 0"),
        ({"rate": -0.1}, "rate=-0.1: give a number of 0 or more"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        losses.get("adaptive_berhu", **arguments)
