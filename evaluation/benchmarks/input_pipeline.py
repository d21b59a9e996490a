"""Times every reader up to a training batch, beside other ways to read the same files.

Writes frames of rendered rooms and drives in each data set's layout, at its size, and measures
images per second to a batch of 8 at 240x320 with the augmentation of jetson_fcnn's recipes. The
writers are those of the tests, so start it as a module, from the root of a checkout:

    pip install ".[benchmarks]"
    python -m evaluation.benchmarks.input_pipeline --frames 400

Each candidate runs in a process of its own; each round goes through all of them in turn.
"""

import argparse
import json
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from keras_depth import markdown
from keras_depth.command import run

SIZE, CROP, BATCH, WORKERS = (240, 320), (192, 256), 8, 2
WARM_UP = 2  # seconds before the measurement


def ours(data, **options):
    """Returns our pipeline over a reader; stereo pairs are not rotated."""
    stereo = options.get("stereo", False)

    def batches(folder):
        from keras_depth.data import open_reader
        from keras_depth.data.augment import Augmentation
        from keras_depth.data.pipeline import training_batches
        from keras_depth.data.targets import depth_target

        return training_batches(
            open_reader(data, folder, "train", **options),
            size=SIZE,
            augmentation=Augmentation(crop=CROP, mirror=0.5, rotate=0.0 if stereo else 5.0),
            target=depth_target,
            batch_size=BATCH,
            seed=0,
            steps=10**6,
        )

    return batches


def torch_fastdepth(folder):
    """Returns PyTorch's DataLoader with FastDepth's transforms, on its h5 files."""
    import h5py
    import numpy as np
    import scipy.ndimage
    import torch
    from PIL import Image, ImageEnhance

    class Frames(torch.utils.data.Dataset):
        def __init__(self):
            self.files = sorted(Path(folder).glob("nyudepthv2/train/*/*.h5"))

        def __len__(self):
            return len(self.files)

        def __getitem__(self, index):
            rng = np.random.default_rng()
            with h5py.File(self.files[index], "r") as file:
                rgb, depth = file["rgb"][...].transpose(1, 2, 0), file["depth"][...]
            scale, angle = rng.uniform(1, 1.5), rng.uniform(-5, 5)
            depth = depth / scale

            def resized(array, factor):
                height, width = (round(side * factor) for side in array.shape[:2])
                return np.asarray(Image.fromarray(array).resize((width, height), Image.NEAREST))

            def cropped(array, height, width):
                top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
                return array[top : top + height, left : left + width]

            def transformed(array):
                array = resized(array, 250 / 480)
                array = scipy.ndimage.rotate(array, angle, reshape=False, prefilter=False, order=0)
                array = cropped(resized(array, scale), 228, 304)
                return np.asarray(Image.fromarray(array).resize((224, 224), Image.NEAREST))

            rgb, depth = transformed(rgb), transformed(depth.astype(np.float32))
            picture = Image.fromarray(rgb)
            for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                picture = enhance(picture).enhance(rng.uniform(0.6, 1.4))
            rgb = np.asarray(picture, np.float32) / 255
            if rng.uniform() < 0.5:
                rgb, depth = rgb[:, ::-1], depth[:, ::-1]
            rgb = np.ascontiguousarray(rgb.transpose(2, 0, 1))
            return torch.from_numpy(rgb), torch.from_numpy(np.ascontiguousarray(depth)[None])

    # Many epochs as one: a short epoch of a few hundred frames would mostly start workers.
    frames = torch.utils.data.ConcatDataset([Frames()] * 1000)
    return torch.utils.data.DataLoader(
        frames, batch_size=BATCH, shuffle=True, num_workers=WORKERS, drop_last=True
    )


def keras_densedepth(folder):
    """Returns a Keras PyDataset with DenseDepth's loading and augmentation, on its images."""
    import keras
    import numpy as np
    from PIL import Image
    from skimage.transform import resize

    root = Path(folder)
    rows = (root / "data" / "nyu2_train.csv").read_text().split()
    files = [[root / name for name in row.split(",")] for row in rows]

    class Frames(keras.utils.PyDataset):
        def __len__(self):
            return 10**6 // BATCH

        def __getitem__(self, number):
            rng = np.random.default_rng(number)
            images = np.zeros((BATCH, 480, 640, 3))
            targets = np.zeros((BATCH, 240, 320, 1))
            for k in range(BATCH):
                rgb, depth = files[(number * BATCH + k) % len(files)]
                image = np.clip(np.asarray(Image.open(rgb)).reshape(480, 640, 3) / 255, 0, 1)
                depth = np.asarray(Image.open(depth)).reshape(480, 640, 1) / 255 * 1000
                target = 1000 / np.clip(depth, 10, 1000)
                target = resize(
                    target, (240, 320), preserve_range=True, mode="reflect", anti_aliasing=True
                )
                if rng.uniform() < 0.5:
                    image, target = image[:, ::-1], target[:, ::-1]
                if rng.uniform() < 0.5:
                    image = image[..., rng.permutation(3)]
                images[k], targets[k] = image, target
            return images, targets

    # `fit` is how a PyDataset is read; this network costs nothing.
    inputs = keras.Input((480, 640, 3))
    outputs = keras.layers.GlobalMaxPooling2D()(inputs[:, ::96, ::96])
    model = keras.Model(inputs, outputs)
    model.compile(loss=lambda y, p: keras.ops.mean(p))
    arrived: queue.Queue = queue.Queue()
    tell = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: arrived.put(batch))
    frames = Frames(workers=WORKERS, use_multiprocessing=True, max_queue_size=10)
    training = threading.Thread(
        target=lambda: model.fit(frames, callbacks=[tell], verbose=0), daemon=True
    )
    training.start()
    return iter(arrived.get, None)


CANDIDATES = {
    "FastDepth h5": (ours("nyu"), "fastdepth"),
    "FastDepth h5, PyTorch DataLoader": (torch_fastdepth, "fastdepth"),
    "DenseDepth": (ours("nyu"), "densedepth"),
    "DenseDepth, Keras PyDataset": (keras_densedepth, "densedepth"),
    "BTS sync": (ours("nyu"), "bts"),
    "BTS sync, prepared": (ours("prepared"), "bts-prepared"),
    "labelled .mat": (ours("nyu"), "labelled"),
    "KITTI raw, LiDAR": (ours("kitti", list="all", hold_out=0.2), "kitti"),
    "KITTI raw, stereo pairs": (
        ours("kitti", list="all", hold_out=0.2, stereo=True, depth="none"),
        "kitti",
    ),
    "KITTI raw, prepared": (ours("prepared"), "kitti-prepared"),
}


def write_frames(root: Path, frames: int) -> None:
    """Writes the files that are missing: 480x640 and 375x1242, with a sensor's noise."""
    from keras_depth.data.prepared.builder import prepare
    from keras_depth.data.rendered.drives import KITTI_SIZE, Drives
    from keras_depth.data.rendered.rooms import Rooms
    from tests.helpers.write_kitti import write_kitti
    from tests.helpers.write_nyu import write_layout

    train, test = (Rooms(n, (480, 640), noise=True, holes=True) for n in (frames, 2))
    for layout in ("fastdepth", "densedepth", "bts", "labelled"):
        if not (root / layout).exists():
            write_layout(train, root / layout, layout, test)
    if not (root / "kitti").exists():
        write_kitti(Drives(frames // 2, KITTI_SIZE, noise=True, stereo=True), root / "kitti")
    for source, data, options in (
        ("bts", "nyu", {}),
        ("kitti", "kitti", {"list": "all", "hold_out": 0.2}),
    ):
        if not (root / f"{source}-prepared").exists():
            prepare(data, root / source, root / f"{source}-prepared", SIZE, options)


def measure(name: str, root: Path, seconds: float) -> dict[str, float]:
    """Returns images per second, peak memory in MB, and its growth from first to last third."""
    batches, folder = CANDIDATES[name]
    memory: list[float] = []
    threading.Thread(target=_watch, args=(memory,), daemon=True).start()
    iterator: Iterator = iter(batches(root / folder))
    next(iterator)
    start = time.perf_counter()
    while time.perf_counter() < start + WARM_UP:
        next(iterator)
    memory.clear()
    start, count = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        next(iterator)
        count += BATCH
    rate = count / (time.perf_counter() - start)
    third = len(memory) // 3
    growth = statistics.median(memory[-third:]) - statistics.median(memory[:third])
    return {"rate": rate, "memory": max(memory), "growth": growth}


def _watch(memory: list[float]) -> None:
    """Records the memory of this process and its children in MB; shared pages count once."""
    import psutil

    process = psutil.Process()
    while True:
        total = 0
        for one in (process, *process.children(recursive=True)):
            try:
                total += one.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        memory.append(total / 1e6)
        time.sleep(0.3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--frames", type=int, default=200, help="rooms to render, twice the frames of drives (200)")
    add("--seconds", type=float, default=8, help="of each measurement, after the warm-up (8)")
    add("--rounds", type=int, default=3, help="measurements of each candidate (3)")
    add(
        "--folder",
        type=Path,
        default=Path("benchmark_frames"),
        help="for the frames, which are kept (benchmark_frames)",
    )
    add("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES), help="candidates")
    add("--one", choices=CANDIDATES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.folder, arguments.seconds)))
        return
    write_frames(arguments.folder, arguments.frames)
    results: dict[str, list[dict]] = {name: [] for name in arguments.only}
    for _ in range(arguments.rounds):
        for name in arguments.only:
            command = [sys.executable, __file__, "--one", name, "--folder", str(arguments.folder)]
            command += ["--seconds", str(arguments.seconds)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
    header = ["", "images a second", "of rounds", "peak MB", "growth, MB"]
    rows = [[name, *_cells(rounds)] for name, rounds in results.items()]
    print("\n".join(markdown.table(header, rows, "lrlrr")))


def _cells(rounds: list[dict]) -> list[str]:
    rates = [one["rate"] for one in rounds]
    rate, memory, growth = (
        statistics.median(one[key] for one in rounds) for key in ("rate", "memory", "growth")
    )
    spread = f"{min(rates):.0f} to {max(rates):.0f}"
    return [f"{rate:.0f}", spread, f"{memory:.0f}", f"{growth:+.0f}"]


if __name__ == "__main__":
    run(main)
