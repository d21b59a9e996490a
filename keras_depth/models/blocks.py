"""What the networks share: blocks, as functions on functional tensors, and the check of a size."""

from keras import layers

from keras_depth.errors import InputError


def check_sides(input_shape, multiple, name, smallest=0):
    """Checks the size of the pictures that a network is built for.

    Args:
        input_shape: (height, width, 3).
        multiple: what both sides must be multiples of.
        name: the architecture's name, for the message.
        smallest: the shortest side that it takes.

    Raises:
        InputError: a side is unknown, too short or no multiple, or there are not three channels.
    """
    height, width, channels = input_shape
    if channels != 3 or not height or not width or height % multiple or width % multiple:
        sides = f" with sides that are multiples of {multiple}" if multiple > 1 else ""
        raise InputError(
            f"{name}: input_shape must be (height, width, 3){sides}, got {tuple(input_shape)}"
        )
    if min(height, width) < smallest:
        raise InputError(
            f"{name}: the sides of input_shape must be {smallest} or more, got {tuple(input_shape)}"
        )


def batch_norm(x, momentum, name):
    """Batch normalisation with the epsilon of keras.applications' ResNet."""
    return layers.BatchNormalization(momentum=momentum, epsilon=1.001e-5, name=name)(x)


def factorised_non_bottleneck(x, filters, momentum, name):
    """Two 3x3 convolutions, each as 3x1 then 1x3, as the notebooks of Bokovoy et al. write them.

    Unlike ERFNet's block it has no residual addition and no activation between the four
    convolutions; the first 3x1 changes the width.

    Args:
        x: (B, H, W, in).
        filters: output channels.
        momentum: of the batch normalisation between the two pairs.
        name: prefix of the layers' names.

    Returns:
        (B, H, W, filters).
    """
    for pair in (1, 2):
        if pair == 2:
            x = batch_norm(x, momentum, f"{name}_bn")
        for kernel in ((3, 1), (1, 3)):
            label = f"{name}_conv{pair}_{kernel[0]}x{kernel[1]}"
            x = layers.Conv2D(filters, kernel, padding="same", name=label)(x)
    return layers.ReLU(name=f"{name}_relu")(x)
