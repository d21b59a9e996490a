"""Adam with L2 in the gradient follows PyTorch's formula."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_depth import recipes
from keras_depth.errors import InputError
from keras_depth.train.optimizers import AdamL2, make_optimizer


def pytorch_adam(weight, gradients, rate, decay, epsilon, betas=(0.9, 0.999)):
    """torch.optim.Adam with weight_decay, by its documentation."""
    m = v = 0.0
    for t, gradient in enumerate(gradients, start=1):
        gradient = gradient + decay * weight
        m = betas[0] * m + (1 - betas[0]) * gradient
        v = betas[1] * v + (1 - betas[1]) * gradient**2
        step = (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + epsilon)
        weight = weight - rate * step
    return weight


def test_is_pytorch_s_weight_decay():
    """With l2 of half the decay, and gradients small enough for it to matter."""
    rng = np.random.default_rng(0)
    weight, gradients = rng.uniform(1, 2, 20), 3e-5 * rng.normal(size=(30, 20))
    variable = keras.Variable(weight.astype("float32"))
    epsilon = 1e-12  # negligible, because Keras adds it elsewhere
    optimizer = AdamL2(1e-3, l2=5e-5, epsilon=epsilon)
    for gradient in gradients:
        optimizer.apply([gradient.astype("float32")], [variable])
    expected = pytorch_adam(weight, gradients, 1e-3, 1e-4, epsilon)
    np.testing.assert_allclose(variable, expected, rtol=3e-5)
    assert np.abs(pytorch_adam(weight, gradients, 1e-3, 0.0, epsilon) - expected).max() > 0.01


def test_without_l2_it_is_adam():
    values = []
    for optimizer in (AdamL2(0.01), keras.optimizers.Adam(0.01, epsilon=1e-8)):
        variable = keras.Variable([1.0, -2.0])
        for _ in range(3):
            optimizer.apply([np.array([0.3, 0.1], "float32")], [variable])
        values.append(variable.numpy())
    np.testing.assert_array_equal(*values)


def test_the_penalty_is_not_scaled_with_the_loss():
    """Under mixed_float16, gradients are unscaled before the penalty is added."""
    plain, scaled = keras.Variable([1.0, -2.0]), keras.Variable([1.0, -2.0])
    gradient = np.array([1e-5, 2e-5], "float32")
    AdamL2(0.01, l2=1e-4).apply([gradient], [plain])
    wrapped = keras.optimizers.LossScaleOptimizer(AdamL2(0.01, l2=1e-4), initial_scale=1024.0)
    wrapped.apply([1024 * gradient], [scaled])
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)


def test_fit_and_config(tmp_path):
    picture = keras.Input((3,))
    model = keras.Model(picture, keras.layers.Dense(1)(picture))
    model.compile(AdamL2(0.01, l2=0.3, beta_1=0.8), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    optimizer = keras.saving.load_model(tmp_path / "model.keras").optimizer
    assert type(optimizer) is AdamL2 and optimizer.get_config() == model.optimizer.get_config()
    assert (optimizer.l2, optimizer.beta_1, optimizer.epsilon) == (0.3, 0.8, 1e-8)


@pytest.mark.parametrize("l2", [-1e-4, "much", None, True])
def test_bad_l2(l2):
    with pytest.raises(InputError, match="adam_l2: l2 must be a number of 0 or more, got"):
        AdamL2(l2=l2)


@pytest.mark.parametrize("name", ["adam", "adam_l2", "sgd", "rmsprop", "adamw"])
def test_a_rate_for_each_variable(name):
    """A variable of factor 0.1 moves as it does alone at a tenth of the rate."""
    decay = ", weight_decay: 0.0" if name == "adamw" else ""
    moved = {}
    for rate, factors in ((0.01, (1.0, 0.1)), (0.01, None), (0.001, None)):
        recipe = recipes.load(
            "jetson_fcnn/rooms",
            [
                f"optimizer={{name: {name}, learning_rate: {rate}{decay}}}",
                "schedule={name: constant}",
            ],
        )
        optimizer = make_optimizer(recipe, 10, factors)
        variables = [keras.Variable([1.0, -2.0]) for _ in range(2)]
        optimizer.build(variables)
        for _ in range(3):
            optimizer.apply([np.array([0.3, 0.1], "float32")] * 2, variables)
        moved[rate, factors] = [variable.numpy() for variable in variables]
    first, second = moved[0.01, (1.0, 0.1)]
    np.testing.assert_array_equal(first, moved[0.01, None][0])
    np.testing.assert_allclose(second, moved[0.001, None][0], rtol=1e-6)


def test_decay_keeps_the_whole_rate():
    """Of a variable of factor 0 it is all that is left."""
    settings = ["optimizer={name: adamw, learning_rate: 0.01, weight_decay: 0.1}"]
    recipe = recipes.load("jetson_fcnn/rooms", [*settings, "schedule={name: constant}"])
    optimizer, variable = make_optimizer(recipe, 10, [0.0]), keras.Variable([1.0, -2.0])
    optimizer.build([variable])
    optimizer.apply([np.array([0.3, 0.1], "float32")], [variable])
    np.testing.assert_allclose(variable, [0.999, -1.998], rtol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_factors_under_a_loss_scale_and_in_a_graph(jit):
    """As in a training step: built before, the gradients scaled, the update compiled."""
    recipe = recipes.load("jetson_fcnn/rooms", ["schedule={name: constant}"])
    scaled = dataclasses.replace(recipe, precision="mixed_float16")
    (whole, half, none), again = (_moved_in_a_graph(each, jit) for each in (recipe, scaled))
    np.testing.assert_allclose(half, whole / 2, rtol=1e-4)
    assert np.all(whole < 0) and not np.any(none)
    np.testing.assert_allclose(again, [whole, half, none], rtol=1e-4)


def _moved_in_a_graph(recipe, jit):
    optimizer = make_optimizer(recipe, 10, (1.0, 0.5, 0.0))
    variables = [keras.Variable([1.0, -2.0]) for _ in range(3)]
    optimizer.build(variables)
    count, gradient = len(optimizer.variables), np.array([0.3, 0.1], "float32")

    @tf.function(jit_compile=jit, autograph=False)
    def update():
        optimizer.apply([optimizer.scale_loss(gradient)] * 3, variables)

    for _ in range(3):
        update()
    assert len(optimizer.variables) == count, "a checkpoint made before holds all"
    return [variable.numpy() - [1, -2] for variable in variables]
