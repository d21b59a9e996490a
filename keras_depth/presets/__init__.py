"""Presets: trained networks that come with the package, a folder each.

model.keras   the network, its kernels in half precision; `keras.saving.load_model` takes it too
recipe.yaml   what it was trained with
card.md       the model card: front matter (data, scores, the SHA-256 of model.keras), then text

`DepthEstimator.save_to_preset` writes such a folder of any trained network.
"""

from pathlib import Path
from typing import Any

import yaml

from keras_depth.command import parse_yaml
from keras_depth.errors import InputError, first_line
from keras_depth.files import sha256

MODEL, RECIPE, CARD = "model.keras", "recipe.yaml", "card.md"

_ROOT = Path(__file__).parent


def list_presets() -> list[str]:
    """Returns the names of the presets that come with the package."""
    return sorted(card.parent.name for card in _ROOT.glob(f"*/{CARD}"))


def find(name: str | Path) -> Path | None:
    """Returns the folder of the preset of this name; None: there is none."""
    return _ROOT / str(name) if str(name) in list_presets() else None


def is_preset(folder: Path) -> bool:
    """Returns whether a folder holds a preset: a network with its card."""
    return (folder / CARD).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """Reads the front matter of a preset's model card.

    Raises:
        InputError: the front matter is damaged.
    """
    card = folder / CARD
    _, matter, *_ = [*card.read_text(encoding="utf-8").split("---\n", 2), "", ""]
    try:
        values = parse_yaml(matter)
    except yaml.YAMLError as error:
        raise InputError(f"{card}: damaged ({first_line(error)}); restore the preset") from error
    if not isinstance(values, dict) or "sha256" not in values:
        raise InputError(f"{card}: its front matter lacks `sha256`; restore the preset")
    return values


def check(folder: Path) -> None:
    """Checks that a preset's network is the one that its card describes.

    Raises:
        InputError: the file is missing, damaged, or of another version of the preset.
    """
    expected = read_card(folder)["sha256"]
    file = folder / MODEL
    found = sha256(file) if file.is_file() else "missing"
    if found != expected:
        raise InputError(
            f"{file}: its SHA-256 is {found:.12}, where {CARD} says {expected:.12}: damaged, or of"
            " another version; restore the preset, or install keras_depth again"
        )
