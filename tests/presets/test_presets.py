"""Presets: found by name, refused when damaged, and those that are shipped are whole."""

import pytest

from keras_depth import presets
from keras_depth.errors import InputError
from keras_depth.files import sha256
from keras_depth.geometry import NYU, scale_intrinsics
from keras_depth.run_folder import RunFolder

LARGEST = 8_000_000  # bytes, in a wheel


@pytest.fixture
def preset(tmp_path):
    """A preset as far as its files go."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "model.keras").write_bytes(b"network")
    digest = sha256(folder / "model.keras")
    (folder / "card.md").write_text(f"---\nsha256: {digest}\n---\n\n# small\n")
    return folder


def test_is_found_by_its_name(preset, monkeypatch):
    monkeypatch.setattr(presets, "_ROOT", preset.parent)
    assert presets.list_presets() == ["small"]
    assert presets.find("small") == preset and presets.find("large") is None
    presets.check(preset)


@pytest.mark.parametrize("content, found", [(b"networ", "[0-9a-f]{12}"), (None, "missing")])
def test_a_damaged_or_another_network_is_refused(preset, content, found):
    (preset / "model.keras").unlink()
    if content:
        (preset / "model.keras").write_bytes(content)
    message = f"model.keras: its SHA-256 is {found}, where card.md says .*: damaged, or of another"
    with pytest.raises(InputError, match=message):
        presets.check(preset)


@pytest.mark.parametrize(
    "card, message",
    [
        ("# no front matter\n", "card.md: its front matter lacks `sha256`; restore the preset"),
        ("---\nlicense: none\n---\n", "card.md: its front matter lacks `sha256`"),
        ("---\nlicense: [none\n---\n", "card.md: damaged .*; restore the preset"),
    ],
)
def test_a_damaged_card_is_refused(preset, card, message):
    (preset / "card.md").write_text(card)
    with pytest.raises(InputError, match=message):
        presets.read_card(preset)


def test_the_shipped_presets_are_whole():
    assert presets.list_presets()
    for name in presets.list_presets():
        folder = presets.find(name)
        presets.check(folder)
        assert (folder / presets.MODEL).stat().st_size <= LARGEST
        card = presets.read_card(folder)
        assert card["license"] != "unknown" and card["model-index"][0]["results"]
        text = (folder / presets.CARD).read_text(encoding="utf-8")
        assert "Say here" not in text, "the writer's own sentences are to be completed"


def test_the_preset_of_nyu_says_its_camera_and_fit():
    folder = RunFolder(presets.find("mobile_interl_nyu"))
    height, width = folder.recipe().size
    camera = scale_intrinsics(NYU, (480, 640), (height, width))
    assert folder.focal_length() == pytest.approx((camera.fx, camera.fy))
    assert folder.recipe().fit == folder.fit() == "letterbox"
