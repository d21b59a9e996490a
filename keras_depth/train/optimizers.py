"""Optimizers, by the names that recipes use; among them Adam with PyTorch's weight decay."""

from collections.abc import Sequence

import keras

from keras_depth.errors import InputError, check_keywords
from keras_depth.recipes import Recipe
from keras_depth.registry import Registry
from keras_depth.train.schedules import make_schedule


def make_optimizer(
    recipe: Recipe, steps: int, factors: Sequence[float] | None = None
) -> keras.optimizers.Optimizer:
    """Makes a recipe's optimizer, with its learning-rate schedule for a run of `steps` steps.

    Args:
        recipe: names the optimizer and the schedule, and gives their arguments.
        steps: of the whole training.
        factors: what the learning rate of each trainable variable is multiplied by; None: 1.

    Raises:
        InputError: an unknown name or argument (the message names the nearest), or a bad value.
    """
    arguments = dict(recipe.optimizer)
    name = arguments.pop("name")
    build = OPTIMIZERS[name]
    check_keywords(f"argument of optimizer {name}", build, arguments)
    peak = float(arguments.pop("learning_rate", 0.001))
    rate = make_schedule(peak, steps, **recipe.schedule)
    if factors is None:
        optimizer = build(learning_rate=rate, **arguments)
    else:
        optimizer = _with_factors(build)(learning_rate=rate, **arguments)
        optimizer.factors = tuple(factors)
    if recipe.precision == "mixed_float16":
        # Gradients would fall below the smallest number of float16.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _with_factors(build: type[keras.optimizers.Optimizer]) -> type[keras.optimizers.Optimizer]:
    """Returns the optimizer's class with a learning rate for each variable.

    Decoupled weight decay, which `adamw` has, keeps the whole learning rate.
    """

    class WithFactors(build):
        factors: Sequence[float] = ()

        def update_step(self, gradient, variable, learning_rate):
            factor = self.factors[self._get_variable_index(variable)]
            super().update_step(gradient, variable, factor * learning_rate)

    return WithFactors


@keras.saving.register_keras_serializable("keras_depth")
class AdamL2(keras.optimizers.Adam):
    """Minimizes the loss plus `l2` times the sum of all squared weights, with Adam.

    The penalty's gradient passes through Adam's moments like the loss's: `l2 = d / 2` is PyTorch's
    `Adam(weight_decay=d)`. `keras.optimizers.Adam(weight_decay=)` is PyTorch's AdamW instead, which
    shrinks the weights apart from the step.

    Args:
        learning_rate: number or schedule. Defaults to 0.001.
        l2: 0 or more. Defaults to 0.
        beta_1, beta_2, epsilon: Adam's. Epsilon defaults to PyTorch's 1e-8, but Keras adds it
            before it corrects the second moment, so it weighs more in the first steps: 32 times
            in the very first.
        **kwargs: other arguments of `keras.optimizers.Adam`.

    Raises:
        InputError: `l2` is not a number of 0 or more.
    """

    def __init__(
        self,
        learning_rate=0.001,
        l2=0.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        name="adam_l2",
        **kwargs,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name=name, **kwargs)
        if type(l2) not in (int, float) or not l2 >= 0:
            raise InputError(f"optimizer adam_l2: l2 must be a number of 0 or more, got {l2!r}")
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        penalty = 2 * self.l2 * keras.ops.cast(variable, gradient.dtype)
        super().update_step(gradient + penalty, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


OPTIMIZERS: Registry[type[keras.optimizers.Optimizer]] = Registry(
    "optimizer",
    {
        "adam": keras.optimizers.Adam,
        "adam_l2": AdamL2,
        "adamw": keras.optimizers.AdamW,
        "sgd": keras.optimizers.SGD,
        "rmsprop": keras.optimizers.RMSprop,
    },
)
