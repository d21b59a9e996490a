"""One training step: from a batch to new weights, the same to the bit whenever it is repeated."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_depth.losses import DepthLoss


def training_step(
    model: keras.Model,
    loss: DepthLoss,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
) -> Callable[..., tf.Tensor]:
    """Returns (image, y_true) -> the loss before the step.

    Sets an option of TensorFlow's, for the whole process and for good: graphs are no longer
    optimised arithmetically, which costs nothing that could be measured.
    """
    variables = model.trainable_variables
    # Three or more terms are summed in the order in which threads bring them, where memory is short
    # (Grappler), and otherwise by whose memory is free (AddN): on a busy machine two steps need not
    # agree to the bit. Two terms have one sum, so gradients are summed in pairs, and Grappler must
    # not join the pairs.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})

    def replica(image, y_true):
        # Keras divides a loss by the number of replicas; the optimizer sums their gradients.
        value = loss(y_true, model(image, training=True))
        gradients = tf.gradients(
            optimizer.scale_loss(value),
            [variable.value for variable in variables],
            aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
        )
        optimizer.apply(gradients, variables)
        return value

    # Autograph would wrap an InputError of the loss in its own.
    @tf.function(autograph=False)
    def step(image, y_true):
        return strategy.reduce("SUM", strategy.run(replica, args=(image, y_true)), axis=None)

    return step
