"""Encoder-decoders on an ImageNet backbone, to a map of the picture's own size.

Das, Das, Sadaf: Depth Estimation From Monocular Images With Enhanced Encoder-Decoder Architecture,
and the authors' model.py. The code is of Inception-ResNet-v2 alone; where the other encoders are
tapped is what gives the published counts.
"""

import keras
from keras import layers

from keras_depth.errors import unknown_name
from keras_depth.layers.preprocessing import Preprocessing
from keras_depth.models.backbones import applications
from keras_depth.models.blocks import check_sides

MULTIPLE = 16

_WIDTHS = (256, 128, 64, 32)  # of the decoder's blocks, coarsest first
_SCALES = ("eighth", "quarter", "half")  # where it takes up the encoder's maps


def unet(input_shape, weights, *, name, encoder, scaling="imagenet"):
    """Builds one network of Table 2.

    Args:
        input_shape: (height, width, 3), sides multiples of 16.
        weights: None or "imagenet", for the encoder.
        name: the architecture's name, which the model carries.
        encoder: "inception_resnet_v2", "densenet201", "densenet169", "resnet152", "resnet50" or
            "vgg19".
        scaling: "imagenet": what the encoder's weights were trained on; "minmax": each picture's
            lowest value becomes 0 and its highest 1, as the paper trains (equation 1).

    Returns:
        A functional model from `image` (B, H, W, 3), RGB in [0, 1], to (B, H, W, 1) in (0, 1).

    Raises:
        InputError: a size or an option the network cannot take.
    """
    check_sides(input_shape, MULTIPLE, name, smallest(encoder))
    if scaling not in ("imagenet", "minmax"):
        raise unknown_name(f"value of scaling for {name}:", scaling, ("imagenet", "minmax"))
    image = keras.Input(input_shape, name="image")
    picture, own_scaling = image, None
    if scaling == "minmax":
        picture, own_scaling = Preprocessing("minmax", name="minmax")(image), "none"
    backbone = applications.application(encoder, picture, weights, own_scaling)
    if encoder == "inception_resnet_v2":
        x, *skips = applications.tapped_inception_resnet_v2(backbone, "end", *_SCALES)
        full = picture
    else:
        taps = applications.DAS[encoder]
        x, *skips = applications.tapped(backbone, taps, "end", *_SCALES)
        # VGG19 alone has a map of the picture's size; the others take up the picture itself.
        full = backbone.get_layer(taps.full).output if taps.full else picture
    x = layers.LeakyReLU(0.2, name="bottleneck_relu")(x)
    for number, (width, skip) in enumerate(zip(_WIDTHS, [*skips, full], strict=True), start=1):
        x = _block(x, skip, width, f"up{number}")
    # float32 under any policy: near 1, float16 has steps of a two-thousandth, 5 mm of 10 m.
    depth = layers.Conv2D(
        1, 3, padding="same", activation="sigmoid", dtype="float32", name="depth"
    )(x)
    return keras.Model(image, depth, name=name)


def smallest(encoder):
    """Returns the shortest side of a picture that an encoder takes."""
    # Inception-ResNet-v2 pads nothing: of less than 80 rows its second reduction leaves none.
    return 80 if encoder == "inception_resnet_v2" else 32


def _block(x, skip, width, name):
    """Doubles the size, joins the encoder's map; three convolutions, batch norm after two."""
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_upsample")(x)
    for convolution in ("a", "b", "c"):
        if convolution == "b":
            x = layers.Concatenate(name=f"{name}_concat")([x, skip])
        x = layers.Conv2D(width, 3, padding="same", name=f"{name}_conv_{convolution}")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu_{convolution}")(x)
        if convolution != "a":
            x = layers.BatchNormalization(name=f"{name}_bn_{convolution}")(x)
    return x
