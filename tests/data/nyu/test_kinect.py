import numpy as np
import pytest

from keras_depth.data.nyu.kinect import SIZE, align, decode_disparity, pair
from keras_depth.errors import InputError

HEADER = b"P5 640 480 65535\n"


def disparity_file(disparity, order="<u2", header=HEADER):
    return header + np.broadcast_to(disparity, SIZE).astype(order).tobytes()


# Disparity to metres -------------------------------------------------------------------------


def test_metres_of_a_disparity():
    disparity = np.full(SIZE, 2047)
    disparity[0, :5] = 741, 917, 1057, 1058, 1093
    depth = decode_disparity(disparity_file(disparity), "d.pgm")
    assert depth.dtype == np.float32 and depth.shape == SIZE
    # 351.3 / (1092.5 - v): 351.5, 175.5 and 35.5 steps from infinity; 1058 is beyond 10 m.
    np.testing.assert_allclose(depth[0, :5], (351.3 / 351.5, 2.0017094, 9.8957746, 0, 0), rtol=1e-6)
    assert (depth > 0).sum() == 3


def test_the_byte_order_is_a_pcs():
    assert decode_disparity(disparity_file(917), "d.pgm")[3, 4] == np.float32(351.3 / 175.5)
    with pytest.raises(InputError, match="d.pgm: holds 38147 where the Kinect's 11 bits end at 20"):
        decode_disparity(disparity_file(917, ">u2"), "d.pgm")  # as the PGM standard has it


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "d.pgm: not a 16-bit PGM of 640x480"),
        (disparity_file(917, header=b"P5 320 240 65535\n"), "not a 16-bit PGM of 640x480"),
        (disparity_file(917)[:-10], "has 614390 bytes of depth where 640x480 take 614400"),
        (disparity_file(2500), "holds 2500 where the Kinect's 11 bits end at 2047"),
    ],
)
def test_damaged_files(content, message):
    with pytest.raises(InputError, match=message):
        decode_disparity(content, "d.pgm")


# Pairs ---------------------------------------------------------------------------------------


def test_each_depth_has_the_picture_nearest_in_time():
    names = [
        "d-100.000000-1.pgm", "d-100.040000-2.pgm", "d-100.050000-3.pgm", "d-100.150000-4.pgm",
        "r-100.010000-9.ppm", "r-100.045000-8.ppm", "r-103.000000-7.ppm",
        "a-100.000000-1.dump", "INDEX.txt", "r-100.000000-6.ppm.part",
    ]  # fmt: skip
    pairs, alone = pair(reversed(names))
    assert pairs == [
        ("r-100.010000-9.ppm", "d-100.000000-1.pgm"),
        ("r-100.045000-8.ppm", "d-100.040000-2.pgm"),
        ("r-100.045000-8.ppm", "d-100.050000-3.pgm"),
    ]
    assert alone == ["d-100.150000-4.pgm"]


def test_times_of_the_real_names_keep_their_microseconds():
    names = [f"d-1316653580.{t}-1.pgm" for t in ("471513", "504846")]
    names += [f"r-1316653580.{t}-2.ppm" for t in ("484909", "488180")]
    assert pair(names)[0] == [
        ("r-1316653580.484909-2.ppm", "d-1316653580.471513-1.pgm"),
        ("r-1316653580.488180-2.ppm", "d-1316653580.504846-1.pgm"),
    ]


def test_without_pictures_every_depth_is_alone():
    assert pair(["d-1.0-1.pgm", "d-2.0-1.pgm"]) == ([], ["d-1.0-1.pgm", "d-2.0-1.pgm"])
    assert pair(["r-1.0-1.ppm"]) == ([], []) == pair([])


# Projection ----------------------------------------------------------------------------------

GREY = np.full((*SIZE, 3), 128, np.uint8)


def test_a_point_on_the_axis_moves_by_the_baseline():
    """At the infrared camera's centre its lens does nothing, and the ray is (0, 0, 1)."""
    for metres in (1.0, 2.0, 5.0):
        depth = np.zeros(SIZE, np.float32)
        depth[238, 313] = metres
        _, projected = align(GREY, depth)
        ((row, column),) = np.argwhere(projected)
        # Small angles: the rotation turns by 4.3 and 3.7 mrad, the cameras are 2.5 cm apart.
        x = 325.58 + 518.86 * (-0.00432 - 0.02503 / metres)
        y = 253.74 + 519.47 * (0.00367 - 0.00066 / metres) - 519.47 * 0.44 / 582.69
        assert abs(column - x) < 0.6 and abs(row - y) < 0.6
        assert abs(projected[row, column] - metres) < 0.001


def test_the_nearest_of_several_stays():
    near, far = np.full(SIZE, 1.0, np.float32), np.full(SIZE, 3.0, np.float32)
    near[:, 320:] = 0
    scene = np.where(near > 0, near, far)
    _, projected = align(GREY, scene)
    _, alone = align(GREY, near)
    covered = alone > 0
    # Where the near half lands nothing of the far one shows through.
    np.testing.assert_array_equal(projected[covered], alone[covered])
    assert (projected[~covered & (projected > 0)] > 2.9).all()


def test_a_wall_stays_a_wall():
    _, projected = align(GREY, np.full(SIZE, 2.0, np.float32))
    assert projected.dtype == np.float32 and projected.shape == SIZE
    inner = projected[60:420, 60:580]
    # 583 against 519 pixels of focal length: the finer grid leaves no pixel of the coarser empty.
    assert (inner > 0).all() and abs(inner - 2).max() < 0.01
    assert not projected[:20].any() and not projected[:, :10].any()  # seen in colour alone


def test_nothing_measured_is_nothing_projected():
    picture, projected = align(GREY, np.zeros(SIZE, np.float32))
    assert not projected.any()
    assert (picture[240, 320] == 128).all() and (picture[0, 0] == 255).all()


def test_the_picture_is_straightened():
    rows, columns = np.indices(SIZE)
    picture = np.stack([columns / 3, rows / 2, 0 * rows], -1).round().astype(np.uint8)
    straight, _ = align(picture, np.zeros(SIZE, np.float32))
    for row, column in ((60, 100), (400, 560), (254, 326)):
        x, y = (column - 325.58245) / 518.85790, (row - 253.73617) / 519.46961
        # Brown's model with the colour lens' parameters: where the lens put this direction.
        r = x * x + y * y
        radial = 1 + 0.20796615 * r - 0.58613825 * r**2 + 0.49856987 * r**3
        u = x * radial + 2 * 0.00072231 * x * y + 0.00104796 * (r + 2 * x * x)
        v = y * radial + 0.00072231 * (r + 2 * y * y) + 2 * 0.00104796 * x * y
        at = 325.58245 + 518.85790 * u, 253.73617 + 519.46961 * v
        assert np.hypot(at[0] - column, at[1] - row) > 3 or r < 1e-5
        np.testing.assert_allclose(straight[row, column, :2], (at[0] / 3, at[1] / 2), atol=1)
