import numpy as np
import pytest

from keras_depth.data.augment import Augmentation, _shift_color, augment, zoom
from keras_depth.data.pipeline import resize
from keras_depth.errors import InputError

H, W = 24, 32


def painted():
    """A frame whose image tells every pixel's row and column, and whose depth does too."""
    y, x = np.meshgrid(np.arange(H), np.arange(W), indexing="ij")
    image = np.stack([y / H, x / W, np.ones_like(y)], -1).astype(np.float32)
    return {"image": image, "depth": np.float32(1 + y * W + x)}


def run(augmentation, seed=(1, 2), sample=None):
    result = augment(sample or painted(), np.random.default_rng(seed), augmentation)
    return result["image"], result["depth"]


def coordinates(image, depth):
    """Returns where image and depth say each pixel came from: two arrays (n, 2)."""
    seen = np.rint(image[..., :2] * (H, W)).reshape(-1, 2)
    number = np.rint(depth).reshape(-1) - 1
    return seen, np.stack(np.divmod(number, W), -1)


def test_nothing_to_do_returns_the_frame():
    image, depth = run(Augmentation(mirror=0.0))
    np.testing.assert_array_equal(image, painted()["image"])
    np.testing.assert_array_equal(depth, painted()["depth"])


def test_mirror_flips_both():
    image, depth = run(Augmentation(mirror=1.0))
    np.testing.assert_array_equal(image, painted()["image"][:, ::-1])
    np.testing.assert_array_equal(depth, painted()["depth"][:, ::-1])


def test_mirror_keeps_its_probability():
    first = painted()["depth"][0, 0]
    kept = [run(Augmentation(mirror=0.25), (k, 0))[1][0, 0] == first for k in range(200)]
    assert 0.65 < np.mean(kept) < 0.85


def test_crop_cuts_both_alike_and_everywhere():
    corners = set()
    for k in range(150):
        image, depth = run(Augmentation(crop=(H - 2, W - 2), mirror=0.0), (k, 7))
        assert image.shape == (H - 2, W - 2, 3) and depth.shape == (H - 2, W - 2)
        seen, measured = coordinates(image, depth)
        np.testing.assert_array_equal(seen, measured)
        corners.add(tuple(measured[0]))
    assert corners == {(y, x) for y in range(3) for x in range(3)}


def test_crop_of_the_middle():
    """As Hu et al. cut NYU at half size: from row 6, column 8, of 240x320 to 228x304."""
    for k in range(5):
        middle = Augmentation(crop=(H - 12, W - 16), crop_at="middle", mirror=0.0)
        seen, measured = coordinates(*run(middle, (k, 7)))
        np.testing.assert_array_equal(seen, measured)
        assert tuple(measured[0]) == (6, 8)
    with pytest.raises(InputError, match="unknown value of crop_at 'center': known are middle, ra"):
        Augmentation(crop_at="center")


def test_crop_of_the_whole_frame_is_the_frame():
    image, _ = run(Augmentation(crop=(H, W), mirror=0.0))
    np.testing.assert_array_equal(image, painted()["image"])


@pytest.mark.parametrize("seed", [(3, 4), (5, 6), (7, 8)])
def test_rotation_keeps_image_and_depth_aligned(seed):
    image, depth = run(Augmentation(mirror=0.0, rotate=30.0), seed)
    assert set(np.unique(depth)) <= {0.0, *painted()["depth"].ravel()}  # nearest: nothing new
    whole = (depth > 0) & (image[..., 2] > 0.999)  # covered, all four neighbours too
    assert 0.5 < whole.mean() < 1.0
    number = depth[whole] - 1
    origin = np.stack(np.divmod(number, W), -1)
    # Bilinear and nearest differ by half a pixel at most, along each axis.
    assert np.abs(image[..., :2][whole] * (H, W) - origin).max() <= 0.51


def test_rotation_turns_about_the_middle_within_its_limit():
    y, x = np.meshgrid(np.arange(H) - (H - 1) / 2, np.arange(W) - (W - 1) / 2, indexing="ij")
    angles = []
    for k in range(40):
        _, depth = run(Augmentation(mirror=0.0, rotate=10.0), (k, 3))
        at = depth > 0
        row, column = np.divmod(depth[at] - 1, W)
        row, column = row - (H - 1) / 2, column - (W - 1) / 2
        turned = np.arctan2(
            (column * y[at] - row * x[at]).sum(), (column * x[at] + row * y[at]).sum()
        )
        angles.append(np.degrees(turned))
    assert max(np.abs(angles)) <= 10.2 and min(angles) < -5 and max(angles) > 5


def test_uncovered_corners_are_not_measured():
    _, depth = run(Augmentation(mirror=0.0, rotate=180.0), (1, 5))
    assert (depth == 0).any()


def test_same_seed_same_result_and_another_seed_another():
    everything = Augmentation(crop=(16, 16), rotate=5.0, color_shift=1.0)
    first, again, other = run(everything), run(everything), run(everything, (1, 3))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"crop": (0, 4)}, "crop=(0, 4): give a (height, width)"),
        ({"mirror": 1.5}, "mirror=1.5: give a number between 0 and 1"),
        ({"rotate": -1}, "rotate=-1: give a number between 0 and 180"),
        ({"color_shift": 2}, "color_shift=2: give a number between 0 and 1"),
    ],
)
def test_out_of_range(options, message):
    with pytest.raises(InputError) as error:
        Augmentation(**options)
    assert message in str(error.value)


def test_crop_larger_than_the_frame():
    with pytest.raises(InputError, match=r"crop=\(25, 32\) is larger than the frame \(24, 32\)"):
        run(Augmentation(crop=(25, 32)))


def pair():
    frame = painted()
    right = frame["image"] * np.float32([1, 1, 0])  # without blue
    return frame | {"right": right, "focal_baseline": np.float32(100)}


def test_a_mirrored_pair_changes_sides():
    result = augment(pair(), np.random.default_rng(1), Augmentation(mirror=1.0))
    np.testing.assert_array_equal(result["image"], pair()["right"][:, ::-1])
    np.testing.assert_array_equal(result["right"], pair()["image"][:, ::-1])
    # The depth that was measured is the other camera's.
    assert not np.asarray(result["depth"]).any() and result["focal_baseline"] == 100


def test_a_pair_is_cropped_and_colored_alike():
    augmentation = Augmentation(crop=(8, 8), mirror=0.0, color_shift=1.0)
    result = augment(pair() | {"right": pair()["image"]}, np.random.default_rng(1), augmentation)
    np.testing.assert_array_equal(result["image"], result["right"])
    assert result["focal_baseline"] == 100  # a crop moves the principal point alone


def test_stored_pictures_stay_bytes():
    everything = Augmentation(crop=(16, 16), rotate=5.0, color_shift=1.0)
    floating, _ = run(everything)
    frame = painted()
    frame["image"] = np.rint(frame["image"] * 255).astype(np.uint8)
    stored, _ = run(everything, sample=frame)
    assert stored.dtype == np.uint8
    assert np.abs(stored / 255 - floating).max() < 0.02  # rounded once in each of three steps


def test_one_setting_does_not_move_another():
    plain = run(Augmentation(crop=(8, 8)))[1]
    colored = run(Augmentation(crop=(8, 8), color_shift=1.0))[1]
    np.testing.assert_array_equal(plain, colored)
    shifted = run(Augmentation(crop=(8, 8), rotate=5.0, color_shift=1.0))
    unshifted = run(Augmentation(crop=(8, 8), rotate=5.0))
    np.testing.assert_array_equal(unshifted[1], shifted[1])
    assert not np.array_equal(unshifted[0], shifted[0])


def test_the_draws_of_a_seed_stay_as_they_were():
    """Runs of older versions go on as they began: new settings draw after the older ones."""
    sample = painted()
    rng = np.random.default_rng((1, 2))
    turn, flip, top, left, *_ = rng.random(7)
    _, power, brightness = rng.uniform((0, 0.8, 0.5), (1, 1.2, 2.0))
    gains = brightness * rng.uniform(0.8, 1.2, 3)
    rows, columns = int(top * (H - 8 + 1)), int(left * (W - 8 + 1))
    image = sample["image"][rows : rows + 8, columns : columns + 8]
    image = image[:, ::-1] if flip < 0.5 else image
    result, _ = run(Augmentation(crop=(8, 8), mirror=0.5, color_shift=1.0))
    np.testing.assert_allclose(result, _shift_color(image, power, gains), atol=1e-6)


def test_color_shift_by_hand():
    # 0.25^2 * 2 = 0.125, 0.5^2 * 4 = 1, 0.8^2 * 0.5 = 0.32; 0.9^2 * 4 is cut.
    picture = np.array([[[0.25, 0.5, 0.8], [0.0, 0.9, 1.0]]], np.float32)
    shifted = _shift_color(picture, 2.0, np.array([2.0, 4.0, 0.5]))
    np.testing.assert_allclose(shifted, [[[0.125, 1.0, 0.32], [0.0, 1.0, 0.5]]], atol=1e-6)
    assert shifted.dtype == np.float32


def test_color_shift_of_bytes_is_rounded_once():
    picture = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    gains = np.array([0.5, 1.0, 1.9])
    stored = _shift_color(picture, 0.8, gains)
    assert stored.dtype == np.uint8
    exact = np.clip((picture / 255) ** 0.8 * gains, 0, 1)
    assert np.abs(stored / 255 - exact).max() <= 0.5 / 255 + 1e-9
    floating = _shift_color(np.float32(picture / 255), 0.8, gains)
    assert np.abs(stored / 255 - floating).max() <= 0.5 / 255 + 1e-6
    mirrored = _shift_color(picture[:, ::-1], 0.8, gains)  # not in one piece of memory
    np.testing.assert_array_equal(mirrored, stored[:, ::-1])


def test_color_shift_is_the_draw_that_is_written():
    """Each number within its range, and as often as was asked for."""
    gray = {"image": np.full((2, 2, 3), 0.5, np.float32), "depth": painted()["depth"][:2, :2]}
    changes, kept = [], 0
    for k in range(400):
        image, depth = run(Augmentation(mirror=0.0, color_shift=0.25), (k, 1), gray)
        np.testing.assert_array_equal(depth, gray["depth"])
        if np.array_equal(image, gray["image"]):
            kept += 1
        else:
            assert np.ptp(image, axis=(0, 1)).max() == 0
            changes.append(image[0, 0])
    assert 0.65 < kept / 400 < 0.85
    changes = np.array(changes)
    assert changes.min() >= 0.5**1.2 * 0.5 * 0.8 and changes.max() <= 1.0
    assert changes.min() < 0.25 and changes.max() > 0.9
    ratios = changes[:, 0] / changes[:, 1]
    assert 0.8 / 1.2 <= ratios.min() < 0.85 and 1.15 < ratios.max() <= 1.2 / 0.8


def test_a_pair_changes_its_color_alike():
    sample = pair() | {"right": pair()["image"]}
    augmentation = Augmentation(mirror=0.0, color_shift=1.0)
    result = augment(sample, np.random.default_rng(1), augmentation)
    np.testing.assert_array_equal(result["image"], result["right"])
    assert not np.array_equal(result["image"], sample["image"])
    mirrored = augment(sample, np.random.default_rng(1), Augmentation(mirror=1.0, color_shift=1.0))
    np.testing.assert_array_equal(mirrored["image"], result["right"][:, ::-1])
    np.testing.assert_array_equal(mirrored["right"], result["image"][:, ::-1])


def test_colors_stay_unless_asked_for():
    assert Augmentation().color_shift == 0
    image, _ = run(Augmentation(mirror=0.0))
    np.testing.assert_array_equal(image, painted()["image"])


def test_channels_are_swapped_to_each_of_the_six_orders():
    """Half of the frames, uniformly; one in six of these as they were."""
    colors = {
        "image": np.zeros((2, 2, 3), np.float32) + [0.1, 0.2, 0.3],
        "depth": np.ones((2, 2)),
    }
    seen = [
        tuple(np.round(10 * run(Augmentation(mirror=0.0, swap=0.5), (k, 3), colors)[0][0, 0]))
        for k in range(600)
    ]
    assert len(set(seen)) == 6
    changed = [order for order in seen if order != (1, 2, 3)]
    assert 0.34 < len(changed) / 600 < 0.5  # 5 / 12
    assert min(changed.count(order) for order in set(changed)) > 25


def test_gray_is_itu_601_of_what_the_other_changes_left():
    image, depth = run(Augmentation(mirror=0.0, gray=1.0))
    luma = painted()["image"] @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(image, np.repeat(luma[..., None], 3, 2), atol=1e-3)
    np.testing.assert_array_equal(depth, painted()["depth"])
    swapped, _ = run(Augmentation(mirror=0.0, swap=1.0, gray=1.0))
    assert np.ptp(swapped, axis=-1).max() < 1e-6
    frame = painted() | {"image": np.rint(painted()["image"] * 255).astype(np.uint8)}
    stored, _ = run(Augmentation(mirror=0.0, gray=1.0), sample=frame)
    assert stored.dtype == np.uint8 and np.abs(stored / 255 - image).max() < 1 / 255


def test_a_pair_is_swapped_and_grayed_alike():
    sample = pair() | {"right": pair()["image"]}
    for options in ({"swap": 1.0}, {"gray": 1.0}):
        for seed in range(4):
            result = augment(
                sample, np.random.default_rng(seed), Augmentation(mirror=0.0, **options)
            )
            np.testing.assert_array_equal(result["image"], result["right"])


def test_zoom_cuts_a_part_and_divides_depth_by_the_factor():
    factors = set()
    for k in range(40):
        part = zoom(painted(), np.random.default_rng(k), 1.5)
        height, width = part["depth"].shape
        assert part["image"].shape == (height, width, 3)
        factor = W / width
        assert 1 <= factor <= 1.51 and abs(H / height - factor) < 0.1
        seen, measured = coordinates(part["image"], part["depth"] * factor)
        np.testing.assert_array_equal(seen, measured)
        factors.add(width)
    assert len(factors) > 5


def test_zoom_of_a_pair_keeps_its_depth():
    """The focal length grows instead, when the part is resized."""
    pair = painted() | {"right": painted()["image"], "focal_baseline": np.float32(40)}
    part = zoom(pair, np.random.default_rng(3), 1.5)
    seen, measured = coordinates(part["image"], part["depth"])
    np.testing.assert_array_equal(seen, measured)
    np.testing.assert_array_equal(part["right"], part["image"])
    whole = resize(part, (H, W))
    expected = 40 * W / part["depth"].shape[1]
    assert whole["focal_baseline"] == pytest.approx(expected, rel=1e-6)


def test_color_jitter():
    """Against its three steps, one after the other; uint8 as floats, to half a level."""
    image = np.random.default_rng(0).uniform(0.3, 0.6, (H, W, 3)).astype("float32")
    changed, _ = run(Augmentation(mirror=0, color_jitter=0.3), sample=painted() | {"image": image})
    rng = np.random.default_rng((1, 2))
    rng.random(4)
    brightness, contrast, saturation = 1 + 0.3 * (2 * rng.random(3) - 1)
    gray = image @ [0.2989, 0.587, 0.114]
    expected = gray[..., None] + saturation * (image - gray[..., None])
    expected = brightness * (gray.mean() + contrast * (expected - gray.mean()))
    np.testing.assert_allclose(changed, np.clip(expected, 0, 1), atol=2e-4)
    levels = np.rint(255 * image).astype("uint8")
    bytes_, _ = run(Augmentation(mirror=0, color_jitter=0.3), sample=painted() | {"image": levels})
    assert bytes_.dtype == np.uint8
    assert np.abs(bytes_ / 255 - changed).max() < 1.5 / 255


def test_the_focal_length_follows():
    """Of one camera, zoom is a step nearer; of a pair it is a longer lens."""
    camera = {"focal_length": np.array([30, 20], np.float32)}
    part = zoom(painted() | camera, np.random.default_rng(0), 1.5)
    whole = resize(part, (H, W))
    assert part["image"].shape[0] < H
    np.testing.assert_allclose(whole["focal_length"], (30, 20), rtol=1e-6)
    pair = painted() | camera | {"right": painted()["image"], "focal_baseline": np.float32(7)}
    part = zoom(pair, np.random.default_rng(0), 1.5)
    whole, factor = resize(part, (H, W)), W / part["image"].shape[1]
    np.testing.assert_allclose(whole["focal_length"][0], 30 * factor, rtol=1e-6)
    np.testing.assert_allclose(whole["focal_baseline"], 7 * factor, rtol=1e-6)
    turned = Augmentation(mirror=1.0, rotate=5.0, crop=(H - 4, W - 4))
    kept = augment(painted() | camera, np.random.default_rng(0), turned)
    np.testing.assert_array_equal(kept["focal_length"], (30, 20))
