"""A home folder with all that the commands of the documentation speak of, as small as can be.

Every data set has its own layout and the names of its own lists; the frames are rendered, and many
of them are the same one.
"""

from pathlib import Path

import cv2
import numpy as np

from keras_depth.data.kitti import lists as kitti_lists
from keras_depth.data.rendered.drives import Drives
from keras_depth.data.rendered.rooms import Rooms
from keras_depth.images import to_uint8
from tests.bag.world import write_walks
from tests.helpers.write_kitti import DATE, write_kitti
from tests.helpers.write_nyu import write_layout
from tests.helpers.write_rig import write_rig

SIZE = (48, 64)
# Lists that the pages' commands read, whole.
_LISTS = [
    (name, split) for name in ("eigen", "optidepthnet_kitti") for split in ("train", "validation")
]
_TESTED = 697  # frames of Eigen's test list
# What a check finds of the folders, and nothing else: of none in the others.
_FEW, _ONE = r"\d+ of (about )?[\d,]+ frames found", "occur more than once|share images under"
FINDINGS = {
    **dict.fromkeys(("nyu", "densedepth", "fastdepth", "tensorflow_datasets", "sync"), _FEW),
    "kitti": _ONE,
    "stereo2015": _ONE,
    "kitti_object": f"{_FEW}|{_ONE}",
}


def build(home: Path, work: Path) -> None:
    """Fills a home folder with data sets, and a working folder with pictures and depth maps."""
    _nyu(home)
    store = _drive(home / "one_drive")
    _kitti(home / "kitti", store)
    _stereo(home / "stereo2015" / "training", store)
    _object(home / "kitti_object" / "training", store)
    rooms = Rooms(12, SIZE)
    write_recording(home / "robot", rooms, 1000)
    _tum(home / "rgbd_dataset_freiburg1_desk", Rooms(4, SIZE))
    write_rig(Drives(8, (64, 208), frames_per_drive=2, stereo=True), home / "rig")
    _pictures(work, rooms)
    _link(Path(__file__).parents[2] / "docs" / "photos", work / "docs" / "photos")
    _maps(work)
    frames = [rooms[number] for number in range(8)]
    pictures = [to_uint8(frame["image"]) for frame in frames]
    write_walks(work, pictures, [np.squeeze(frame["depth"]) for frame in frames])


def _nyu(home: Path) -> None:
    # Eight: of fewer the list `wang` has no frame to validate on, or to test.
    train, test = Rooms(8, SIZE), Rooms(2, SIZE, split="test")
    for name, layout in (("nyu", "labelled"), ("densedepth", "densedepth"),
                         ("fastdepth", "fastdepth"), ("sync", "bts")):  # fmt: skip
        write_layout(train, home / name, layout, test, scenes=4)
    large = Rooms(2, (480, 640))  # the two layouts that have but this size
    write_layout(large, home / "tensorflow_datasets", "tfds", Rooms(1, (480, 640), split="test"))
    scene = home / "nyu_raw" / "living_room_0004a"
    for number, sample in enumerate(large):
        _write_picture(scene / f"r-{number}.000000-{number}.ppm", sample["image"])
        disparity = np.rint(1092.5 - 351.3 / sample["depth"]).astype("<u2")
        # The header says big end first, and the bytes are not: so are the Kinect's.
        content = b"P5 640 480 65535\n" + disparity.tobytes()
        (scene / f"d-{number}.010000-{number}.pgm").write_bytes(content)


def _drive(folder: Path) -> Path:
    """Writes the one frame of KITTI that all others are; returns the folder of its files."""
    drives = Drives(1, (64, 208), stereo=True)
    write_kitti(drives, folder)
    frame, sample = next((folder / DATE).glob("*_sync")), drives[0]
    for link, file in {
        "left.png": frame / "image_02/data/0000000000.png",
        "right.png": frame / "image_03/data/0000000000.png",
        "cameras.txt": folder / DATE / "calib_cam_to_cam.txt",
        "lidar.txt": folder / DATE / "calib_velo_to_cam.txt",
    }.items():
        (folder / link).symlink_to(file)
    scan = np.fromfile(frame / "velodyne_points/data/0000000000.bin", "<f4").reshape(-1, 4)
    scan[::8].tofile(folder / "scan.bin")  # an eighth of the points is read in less time
    depth = sample["depth"]
    disparity = np.where(depth > 0, drives.focal_baseline / np.maximum(depth, 1e-3), 0)
    _write_16_bits(folder / "depth.png", 256 * depth)
    _write_16_bits(folder / "disparity.png", 256 * disparity)
    return folder


def _kitti(root: Path, store: Path) -> None:
    """Every frame of the lists, by a link: 72,000 files."""
    test = kitti_lists.load("eigen", "test")
    frames = {frame for each in _LISTS for frame in kitti_lists.load(*each)} | set(test)
    for date, number, side, picture in frames:
        assert side == "l"
        drive = root / date / f"{date}_drive_{number:04d}_sync"
        _link(store / "left.png", drive / "image_02/data" / f"{picture:010d}.png")
        _link(store / "right.png", drive / "image_03/data" / f"{picture:010d}.png")
        _link(store / "scan.bin", drive / "velodyne_points/data" / f"{picture:010d}.bin")
    for date in {frame.date for frame in frames}:
        _link(store / "cameras.txt", root / date / "calib_cam_to_cam.txt")
        _link(store / "lidar.txt", root / date / "calib_velo_to_cam.txt")
    for date, number, _, picture in kitti_lists.load("eigen_benchmark", "test"):
        drive = root / "val" / f"{date}_drive_{number:04d}_sync" / "proj_depth/groundtruth"
        _link(store / "depth.png", drive / "image_02" / f"{picture:010d}.png")


def _stereo(training: Path, store: Path) -> None:
    for number in range(200):
        for folder, file in (("image_2", "left.png"), ("image_3", "right.png"),
                             ("disp_noc_0", "disparity.png")):  # fmt: skip
            _link(store / file, training / folder / f"{number:06d}_10.png")
        _link(store / "cameras.txt", training / "calib_cam_to_cam" / f"{number:06d}.txt")


def _object(training: Path, store: Path) -> None:
    cameras, lidar = (_values(store / name) for name in ("cameras.txt", "lidar.txt"))
    place = np.column_stack([np.reshape(lidar["R"], (3, 3)), lidar["T"]])
    values = {
        "P2": cameras["P_rect_02"],
        "P3": cameras["P_rect_03"],
        "R0_rect": cameras["R_rect_00"],
        "Tr_velo_to_cam": place.ravel(),
    }
    text = "".join(f"{key}: {' '.join(map(str, each))}\n" for key, each in values.items())
    for number in range(6):
        _link(store / "left.png", training / "image_2" / f"{number:06d}.png")
        _link(store / "scan.bin", training / "velodyne" / f"{number:06d}.bin")
        (training / "calib").mkdir(exist_ok=True)
        (training / "calib" / f"{number:06d}.txt").write_text(text)


def _values(file: Path) -> dict[str, list[float]]:
    rows = (line.split(": ") for line in file.read_text().splitlines() if "time" not in line)
    return {key: [float(number) for number in numbers.split()] for key, numbers in rows}


def write_recording(folder: Path, rooms: Rooms, units: float) -> None:
    for number, sample in enumerate(rooms):
        _write_picture(folder / "rgb" / f"{number}.png", sample["image"])
        _write_16_bits(folder / "depth" / f"{number}.png", units * sample["depth"])


def _tum(folder: Path, rooms: Rooms) -> None:
    write_recording(folder, rooms, 5000)
    for name in ("rgb", "depth"):
        rows = [f"{number}.0 {name}/{number}.png\n" for number in range(len(rooms))]
        (folder / f"{name}.txt").write_text("# timestamp filename\n" + "".join(rows))


def _pictures(work: Path, rooms: Rooms) -> None:
    _write_picture(work / "room.jpg", rooms[0]["image"])
    for number in range(2):
        _write_picture(work / "pictures" / f"{number}.jpg", rooms[number]["image"])
        _write_picture(work / "photos" / f"{number}.jpg", rooms[number]["image"])
    size, codec = SIZE[::-1], cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(work / "video.mp4"), codec, 10, size)
    for number in range(2):
        video.write(_bgr(rooms[number]["image"]))
    video.release()


def _maps(work: Path) -> None:
    """Depth maps of another program for Eigen's test frames, and its disparities."""
    maps = np.full((_TESTED, 16, 52), 10, np.float32)
    np.save(work / "disparities.npy", 1 / maps)
    (work / "maps").mkdir()
    for number, depth in enumerate(maps):
        np.save(work / "maps" / f"{number}.npy", depth)


_made: set[Path] = set()


def _link(target: Path, path: Path) -> None:
    if path.parent not in _made:  # asked once a folder, not once a file
        path.parent.mkdir(parents=True, exist_ok=True)
        _made.add(path.parent)
    path.symlink_to(target)


def _write_picture(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), _bgr(image))


def _bgr(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(to_uint8(image)[..., ::-1])


def _write_16_bits(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.rint(values).clip(0, 65535).astype(np.uint16))
