"""One training step: from a batch to new weights, bit for bit the same whenever it is repeated."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_depth.losses import DepthLoss


def make_training_step(
    model: keras.Model,
    loss: DepthLoss,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
) -> Callable[..., tf.Tensor]:
    """Makes the function (image, y_true) -> loss that updates the model's weights once.

    The loss is that of the weights before the update. Turns off TensorFlow's arithmetic graph
    optimization for the whole process, which costs no measurable time.
    """
    variables = model.trainable_variables
    # The sum of three or more gradients depends on the order in which threads deliver them
    # (Grappler) or free their memory (AddN). So gradients are summed in pairs, which have one sum,
    # and Grappler is kept from merging the pairs.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})

    def replica_step(image, y_true):
        # Keras divides a loss by the number of replicas, and the optimizer sums their gradients.
        value = loss(y_true, model(image, training=True))
        gradients = tf.gradients(
            optimizer.scale_loss(value),
            [variable.value for variable in variables],
            aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE,
        )
        optimizer.apply(gradients, variables)
        return value

    # Autograph would wrap an InputError of the loss in an error of its own.
    @tf.function(autograph=False)
    def step(image, y_true):
        return strategy.reduce("SUM", strategy.run(replica_step, args=(image, y_true)), axis=None)

    return step
