"""Times ways to run one network in TensorFlow, in turn, and marks the fastest.

`DepthEstimator.load` runs networks in the way that was fastest on a CPU here. Weights are random,
which does not change the time.

    python evaluation/benchmarks/inference.py --arch lite_basic_interl_t irv2_unet
"""

import argparse
from contextlib import nullcontext

from keras_depth.command import count, load_tensorflow, run

DEFAULT = ("lite_basic_interl_t", "basic_sc_nonbt", "optidepthnet_vgg", "mobilenet_v2_unet")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--arch", nargs="+", default=DEFAULT, help="networks to time")
    parser.add_argument("--repeats", type=count, default=15, help="timed calls of each way (15)")
    arguments = parser.parse_args()
    load_tensorflow()
    import numpy as np

    from keras_depth.benchmark import timing
    from keras_depth.models import create_model

    print("| network | input |", " | ".join(NAMES), "|")
    print("|---|---|" + "---:|" * len(NAMES), flush=True)
    for name in arguments.arch:
        model = create_model(name)
        height, width = model.inputs[0].shape[1:3]
        times = timing.seconds(ways(model), arguments.repeats)
        medians = {way: 1000 * np.median(seconds) for way, seconds in times.items()}
        best = min(medians.values())
        cells = [f"**{ms:.0f}**" if ms == best else f"{ms:.0f}" for ms in medians.values()]
        print(f"| `{name}` | {height}x{width} | {' | '.join(cells)} |", flush=True)


NAMES = (
    *("as trained", "interleaved, folded", "and simple resizing", "and standard operators"),
    *("and constants", "and XLA"),
)


def ways(model):
    """Returns functions that compute the depth of one image, by name of the way."""
    import numpy as np
    import tensorflow as tf

    from keras_depth.layers.interleave import standard_operators
    from keras_depth.models import reparameterize

    folded = reparameterize.fold_batch_norm(reparameterize.to_interleaved(model))
    simple = reparameterize.simplify_resizing(folded)
    image = np.random.default_rng(0).random((1, *model.inputs[0].shape[1:]), np.float32)

    def traced(network, standard=False, constants=False, xla=False):
        weights = [
            [np.array(weight.value) for weight in group]
            for group in (network.trainable_variables, network.non_trainable_variables)
        ]

        def compute(image):
            with standard_operators() if standard else nullcontext():
                if not constants:
                    return network(image, training=False)
                held = tf.nest.map_structure(tf.constant, weights)
                return network.stateless_call(*held, image, training=False)[0]

        function = tf.function(compute, autograph=False, jit_compile=xla or None)
        given = tf.constant(image)
        return lambda: [tensor.numpy() for tensor in tf.nest.flatten(function(given))]

    settings = [{}, {"standard": True}, {"standard": True, "constants": True}]
    return dict(
        zip(
            NAMES,
            [
                traced(model),
                traced(folded),
                *(traced(simple, **setting) for setting in settings),
                traced(simple, standard=True, xla=True),
            ],
            strict=True,
        )
    )


if __name__ == "__main__":
    run(main)
