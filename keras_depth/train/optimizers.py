"""Adam with weight decay as PyTorch's Adam has it."""

import keras

from keras_depth.errors import InputError


@keras.saving.register_keras_serializable("keras_depth")
class AdamL2(keras.optimizers.Adam):
    """Adam on the loss plus `l2` times the sum of all squared weights.

    The penalty's gradient goes through Adam's moments like the loss's. PyTorch's
    `Adam(weight_decay=d)` is `l2 = d / 2`. `keras.optimizers.Adam(weight_decay=)`, like PyTorch's
    AdamW, shrinks the weights beside the step instead, which is something else.

    Args:
        learning_rate: number or schedule. Defaults to 0.001.
        l2: 0 or more. Defaults to 0.
        beta_1, beta_2, epsilon: Adam's. Epsilon defaults to PyTorch's 1e-8; but Keras adds it
            before it corrects the second moment, so that it counts for more in the first steps:
            32 times in the very first.
        **kwargs: what else `keras.optimizers.Adam` keeps in its config.

    Raises:
        InputError: `l2` is no such number.
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
            raise InputError(f"optimizer adam_l2: l2={l2!r}: give a number of 0 or more")
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        penalty = 2 * self.l2 * keras.ops.cast(variable, gradient.dtype)
        super().update_step(gradient + penalty, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}
