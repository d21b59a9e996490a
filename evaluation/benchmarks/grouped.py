"""Times ways to compute SENet154's grouped 3x3 convolutions, and a network with and without them.

All ways are the same function of the same weights. "Keras" is keras.layers.Conv2D(groups=64), which
goes through XLA; "native", TensorFlow's own operator, is what GroupedConv2D uses.

    python evaluation/benchmarks/grouped.py --arch msfnet
"""

import argparse

from keras_depth.command import count, load_tensorflow, run, size

GROUPS = 64
# One block of each layer at 228x304: height, width, channels in and out, and the stride.
BLOCKS = {
    "layer1": (57, 76, 128, 256, 1),
    "layer2": (29, 38, 256, 512, 1),
    "layer3, first": (29, 38, 512, 1024, 2),
    "layer3": (15, 19, 512, 1024, 1),
    "layer4": (8, 10, 1024, 2048, 1),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=count, default=1, help="images of a call (1)")
    parser.add_argument("--repeats", type=count, default=7, help="timed calls of each way (7)")
    parser.add_argument("--arch", help="also time a training step of this network; takes minutes")
    parser.add_argument("--size", type=size, default=(228, 304), help="of its input (228x304)")
    arguments = parser.parse_args()
    load_tensorflow()

    print(f"batch {arguments.batch}, medians of {arguments.repeats}, ms\n")
    names = [f"{name}{part}" for name in ways() for part in ("", ", step")]
    print(f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}", flush=True)
    for block in BLOCKS:
        times = time_block(BLOCKS[block], arguments.batch, arguments.repeats)
        print(f"| {block} | {' | '.join(f'{time:.2f}' for time in times)} |", flush=True)
    if arguments.arch:
        time_network(arguments.arch, (*arguments.size, 3), arguments.batch)


def ways():
    """Returns functions of a padded map, a kernel and a stride, by name of the way."""
    import tensorflow as tf
    from keras import ops

    def by_group(x, kernel, stride):
        parts = zip(tf.split(x, GROUPS, -1), tf.split(kernel, GROUPS, -1), strict=True)
        return tf.concat([tf.nn.conv2d(*part, stride, "VALID") for part in parts], -1)

    def matmul(x, kernel, stride):
        """Puts the nine taps of a group side by side: one matrix product for each group."""
        inner, outer = kernel.shape[2], kernel.shape[3] // GROUPS
        batch, height, width, _ = x.shape
        x = tf.transpose(tf.reshape(x, (batch, height, width, GROUPS, inner)), (3, 0, 1, 2, 4))
        rows, columns = ((side - 3) // stride + 1 for side in (height, width))
        taps = [
            x[:, :, i : i + height - 2 : stride, j : j + width - 2 : stride]
            for i in range(3)
            for j in range(3)
        ]
        taps = tf.reshape(tf.concat(taps, -1), (GROUPS, batch * rows * columns, 9 * inner))
        kernel = tf.transpose(tf.reshape(kernel, (9 * inner, GROUPS, outer)), (1, 0, 2))
        y = tf.transpose(taps @ kernel, (1, 0, 2))
        return tf.reshape(y, (batch, rows, columns, GROUPS * outer))

    def depthwise(x, kernel, stride):
        """Convolves the n-th channels of all groups at once, for each n."""
        inner, outer = kernel.shape[2], kernel.shape[3] // GROUPS
        channels = tf.unstack(tf.reshape(x, (*x.shape[:3], GROUPS, inner)), axis=-1)
        kernels = tf.unstack(tf.reshape(kernel, (3, 3, inner, GROUPS, outer)), axis=2)
        strides = (1, stride, stride, 1)
        return sum(
            tf.nn.depthwise_conv2d(*pair, strides, "VALID")
            for pair in zip(channels, kernels, strict=True)
        )

    return {
        "Keras": lambda x, kernel, stride: ops.conv(x, kernel, stride, "valid"),
        "by group": by_group,
        "matmul": matmul,
        "depthwise": depthwise,
        "native": lambda x, kernel, stride: tf.nn.conv2d(x, kernel, stride, "VALID"),
    }


def time_block(block, batch, repeats):
    """Returns the milliseconds of each way: forward, then forward with both gradients."""
    import numpy as np
    import tensorflow as tf

    from keras_depth.benchmark import timing

    height, width, inner, outer, stride = block
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(batch, height + 2, width + 2, inner)).astype("float32"))
    spread = np.sqrt(GROUPS / (9 * inner))
    kernel = rng.normal(0, spread, (3, 3, inner // GROUPS, outer)).astype("float32")
    kernel = tf.constant(kernel)
    functions, results = {}, {}
    for name, way in ways().items():
        forward = tf.function(lambda x, k, way=way: way(x, k, stride), autograph=False)

        def gradients(x, k, way=way):
            y = way(x, k, stride)
            return tf.gradients(tf.reduce_sum(y * y), [x, k])

        step = tf.function(gradients, autograph=False)
        results[name] = [forward(x, kernel), *step(x, kernel)]
        functions[name] = lambda f=forward: f(x, kernel).numpy()
        functions[f"{name}, step"] = lambda f=step: [one.numpy() for one in f(x, kernel)]
    for name, values in results.items():
        for value, expected in zip(values, results["by group"], strict=True):
            tolerance = 1e-4 * np.abs(expected).max()
            np.testing.assert_allclose(value, expected, atol=tolerance, err_msg=name)
    return [1000 * np.median(times) for times in timing.seconds(functions, repeats).values()]


def time_network(name, shape, batch):
    """Prints the time of a network's training step with Keras' convolutions and with ours."""
    import keras
    import numpy as np

    from keras_depth import losses
    from keras_depth.benchmark import timing
    from keras_depth.layers.grouped_conv import GroupedConv2D
    from keras_depth.models import create_model

    def plain(layer):
        kind = keras.layers.Conv2D if isinstance(layer, GroupedConv2D) else type(layer)
        return kind.from_config(layer.get_config())

    after = create_model(name, shape)
    before = keras.models.clone_model(after, clone_function=plain)
    functions = {
        title: timing.training_step(model, losses.get("msfnet"), batch)
        for title, model in (("Keras", before), ("native", after))
    }
    times = timing.seconds(functions, repeats=3)
    old, new = (np.median(seconds) for seconds in times.values())
    title = f"{name}, {shape[0]}x{shape[1]}, training step of {batch}"
    print(
        f"\n{title}: {old:.1f} s with Keras' convolutions, {new:.1f} s with ours, {old / new:.0f} x"
    )


if __name__ == "__main__":
    run(main)
