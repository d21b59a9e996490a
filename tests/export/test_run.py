"""run.py: what every export carries, on a machine that has nothing of this package."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from keras_depth import colormap, depth_png, letterbox
from keras_depth.export import run
from keras_depth.images import encode_jpeg, encode_png
from keras_depth.predict import __main__ as predict

SCRIPT = Path(run.__file__)
# A fresh Python in which neither can be imported.
BLOCKED = """\
import runpy, sys
for name in ("tensorflow", "keras", "keras_depth", "matplotlib", "PIL"):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def pictures(tmp_path):
    """A folder of two pictures of noise, whose shapes are not the network's."""
    folder, random = tmp_path / "pictures", np.random.default_rng(3)
    folder.mkdir()
    for name, shape in {"2.png": (40, 90, 3), "10.png": (70, 50, 3)}.items():
        coarse = random.integers(0, 256, (shape[0] // 10, shape[1] // 10, 3), np.uint8)
        (folder / name).write_bytes(encode_png(cv2.resize(coarse, shape[1::-1])))
    return folder


@pytest.fixture
def onnx(exported, tmp_path):
    """An own copy of the network, exported for ONNX Runtime."""
    return shutil.copytree(exported("onnx"), tmp_path / "network")


def change(folder, **details):
    path = folder / "export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **details}))


def test_it_is_python_3_6_with_numpy_and_opencv_alone():
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    names, keywords, attributes = set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
        if isinstance(node, ast.Call):
            keywords |= {keyword.arg for keyword in node.keywords}
        if isinstance(node, ast.Attribute):
            attributes.add(node.attr)
    assert names <= {*sys.stdlib_module_names, "numpy", "cv2"}
    newer = {"__future__", "dataclasses", "importlib.metadata", "contextvars", "zoneinfo"}
    assert not newer & names, "3.6 lacks them"
    assert not {"capture_output", "text", "missing_ok", "dirs_exist_ok", "strict"} & keywords
    assert not {"removeprefix", "removesuffix", "perf_counter_ns", "with_stem"} & attributes
    assert "pip" not in SCRIPT.read_text().replace("pip's", "").replace("pipeline", "")


def check_kit(folder):
    details = json.loads((folder / "export.json").read_text())
    assert details["kit"] == {"run": "run.py", "check": "check.npz"}
    assert {"run.py", "check.npz"} <= set(details["files"])
    assert (folder / "run.py").read_bytes() == SCRIPT.read_bytes()
    with np.load(folder / "check.npz") as arrays:
        assert sorted(arrays.files) == ["depth", "image"]
        assert arrays["image"].dtype == "uint8" and arrays["image"].shape[1:] == (32, 48, 3)
        assert arrays["depth"].dtype == "float32" and arrays["depth"].shape[1:] == (16, 24, 1)


def test_an_export_carries_it(exported):
    check_kit(exported("onnx"))


def test_it_runs_where_this_package_and_tensorflow_are_not(onnx, pictures, tmp_path):
    output, report = tmp_path / "out", tmp_path / "bench.json"
    arguments = [pictures, "--output", output, "--format", "png,npy,color,ply", "--fov", "60"]
    asked = ["--check", "--bench", "--runs", "3", "--json", report]
    done = subprocess.run(
        [sys.executable, "-I", "-c", BLOCKED, onnx / "run.py", *arguments, *asked],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("lite_basic_interl_t, fp32, by onnxruntime-cpu 1.")
    assert lines[1].startswith("check: 3 pictures, max ") and lines[1].endswith("0.0001: passed")
    assert lines[3].startswith(f"{output}: 2 pictures, ")
    assert done.stderr.splitlines() == [
        "metres are not scaled: export.json names no camera of the network"
    ]
    kinds = ("depth.png", "depth.npy", "color.png", "cloud.ply")
    assert {each.name for each in output.iterdir()} == {f"{n}_{k}" for n in (2, 10) for k in kinds}
    found = json.loads(report.read_text())
    assert (found["format"], found["network"], found["input"]) == (
        1,
        "lite_basic_interl_t",
        [32, 48],
    )
    assert found["architecture"] == "lite_basic_interl_t" and found["parameters"] > 0
    assert (found["backend"], found["precision"], found["batch"]) == ("onnxruntime-cpu", "fp32", 1)
    assert (found["runs"], found["warm_up"], found["threads"]) == (3, 10, run.cores())
    assert 0 < found["milliseconds"]["min"] <= found["milliseconds"]["median"]
    assert found["milliseconds"]["median"] <= found["milliseconds"]["p95"]
    assert found["check"]["passed"] and found["board"] and found["machine"]
    assert {"clocks", "power_watts", "temperature_celsius", "date"} <= set(found)


@pytest.mark.parametrize("fit", letterbox.FITS)
def test_its_files_are_those_of_predict(fit, onnx, pictures, tmp_path, capsys):
    """Depth to a rounding of float32, so PNG to a millimetre; colors, points in the same order."""
    change(onnx, camera={"focal_length": [40, 40]}, fit=fit)
    camera = ["--fov", "80"] if fit == "crop" else ["--intrinsics", "50,52,30,25"]
    arguments = ["--format", "png,npy,color,ply", "--range", "2,8", *camera]
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    assert predict.main([str(onnx), str(pictures), "--output", str(theirs), *arguments]) == 0
    said = ["".join(capsys.readouterr())]
    assert run.main([str(pictures), "--output", str(ours), *arguments], onnx) == 0
    said.append("".join(capsys.readouterr()))
    lines = [{line for line in each.splitlines() if line.startswith("metres x")} for each in said]
    assert lines[0] == lines[1] and len(lines[0]) == 2
    assert sorted(os.listdir(theirs)) == sorted(os.listdir(ours))
    for name in (2, 10):
        depths = [np.load(folder / f"{name}_depth.npy") for folder in (theirs, ours)]
        np.testing.assert_allclose(*depths, rtol=1e-6)
        files = [(folder / f"{name}_depth.png").read_bytes() for folder in (theirs, ours)]
        metres = [depth_png.decode(file, "", units=256) for file in files]
        np.testing.assert_allclose(*metres, atol=0.0011)
        assert [depth_png.stored_units(file) for file in files] == [1000, 1000]
        colors = [cv2.imread(str(each / f"{name}_color.png")) for each in (theirs, ours)]
        height, width = depths[0].shape
        assert colors[1].shape == (height, width, 3)
        changed = (colors[0][:, :width] != colors[1]).any(-1)
        assert changed.mean() < 1e-3, "a rounding may be a color's"
        header = b"end_header\n"
        clouds = [(folder / f"{name}_cloud.ply").read_bytes() for folder in (theirs, ours)]
        assert clouds[0].split(header)[0] == clouds[1].split(header)[0]
        kind = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
        points = [np.frombuffer(cloud.split(header, 1)[1], kind) for cloud in clouds]
        np.testing.assert_allclose(points[0]["xyz"], points[1]["xyz"], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(points[0]["rgb"], points[1]["rgb"])


@pytest.mark.parametrize("fit", letterbox.FITS)
@pytest.mark.parametrize("size", [(40, 90), (70, 50), (32, 48), (64, 97), (9, 300)])
def test_its_fits_are_those_of_the_package(fit, size):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*size, 3), np.uint8)
    theirs, ours = letterbox.place(size, (32, 48), fit), run.Placement(size, (32, 48), fit)
    np.testing.assert_array_equal(ours.fit(image), theirs.fit(image))
    depth = random.random((16, 24), np.float32) + 1
    expected = np.where(theirs.seen(size), theirs.restore(depth, size), 0)
    np.testing.assert_allclose(ours.restore(depth), expected, rtol=1e-6)
    assert ours.focal_length((50, 60, 0, 0)) == pytest.approx(
        np.sqrt(np.prod(theirs.scale_focal_length((50, 60))))
    )


def test_its_colors_are_those_of_the_package():
    table = matplotlib.colormaps[colormap.DEPTH](np.arange(256), bytes=True)[None, :, :3]
    middles = np.linspace(1, 9, 513, dtype=np.float32)[1::2][None]
    np.testing.assert_array_equal(run.colorize(middles, 1, 9), table)
    depth = np.array([[0, np.nan, 0.5, 1, 9, 20]], np.float32)
    np.testing.assert_array_equal(run.colorize(depth, 1, 9), colormap.colorize(depth, 1, 9))
    assert run.color_range(depth) == pytest.approx(colormap.depth_range(depth))


def test_metres_of_another_camera(onnx, pictures, tmp_path, capsys):
    """Twice the focal length, in pixels of the input after the fit: twice as far."""
    change(onnx, camera={"focal_length": [40, 40]}, fit="letterbox")
    arguments = [str(pictures / "2.png"), "--format", "npy", "--output"]
    depths = []
    # 90x40 pixels become 48x21: a focal length of 150 pixels is 80 of them.
    for name, camera in {"plain": [], "zoomed": ["--intrinsics", "150,150,45,20"]}.items():
        assert run.main([*arguments, str(tmp_path / name), *camera], onnx) == 0
        depths.append(np.load(tmp_path / name / "2_depth.npy"))
    said = capsys.readouterr().err
    assert said == (
        "metres x 1.98: these pictures' focal length is 79 pixels at 32x48, the network's camera"
        " has 40\n"
    )
    np.testing.assert_allclose(depths[1], depths[0] * np.sqrt(150 * 48 / 90 * 150 * 21 / 40) / 40)


def test_a_video_has_one_range_of_colors(onnx, tmp_path, capsys):
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 32))
    frame = np.repeat(np.linspace(100, 250, 48)[None, :, None], 32, 0).repeat(3, 2)
    for brightness in (1, 0.6, 0.3):
        writer.write((brightness * frame).astype(np.uint8))
    writer.release()
    arguments = [str(path), "--output", str(tmp_path / "out"), "--frames", "2"]
    assert run.main(arguments, onnx) == 0
    assert ": 2 pictures, " in capsys.readouterr().out
    names = [f"walk_{i:06d}_{kind}.png" for i in (0, 1) for kind in ("color", "depth")]
    assert sorted(os.listdir(tmp_path / "out")) == names
    first, second = (cv2.imread(str(tmp_path / "out" / names[i]))[16, 24] for i in (0, 2))
    assert (first != second).any(), "half as far, and so another color"


@pytest.mark.slow
@pytest.mark.parametrize(
    "format, backend", {"litert": "litert", "saved_model": "tensorflow"}.items()
)
def test_other_formats(exported, format, backend, capsys):
    folder = exported(format, batch=1)
    check_kit(folder)
    assert run.main(["--check"], folder) == 0
    printed = capsys.readouterr().out
    assert f"by {backend} 2." in printed and "passed" in printed


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_bare_old_python(format, exported, bare_python, pictures, tmp_path):
    """A real one, in which only NumPy, OpenCV and the runtimes are installed."""
    folder = exported(format, batch=1)
    done = subprocess.run([bare_python, "-m", "pip", "list"], capture_output=True, text=True)
    assert not {"tensorflow", "keras", "keras-depth"} & set(done.stdout.split())
    arguments = ["--format", "png,npy,color,ply", "--fov", "60", "--fit", "letterbox", "--output"]
    there, here = tmp_path / "there", tmp_path / "here"
    command = [bare_python, "-I", folder / "run.py", pictures, *arguments, there]
    asked = ["--check", "--bench", "--runs", "3", "--json", tmp_path / "bench.json"]
    done = subprocess.run([*command, *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
    assert json.loads((tmp_path / "bench.json").read_text())["backend"].startswith(format)
    assert run.main([str(pictures), *arguments, str(here)], folder) == 0
    assert sorted(os.listdir(there)) == sorted(os.listdir(here))
    for name in ("2", "10"):
        depths = [np.load(each / f"{name}_depth.npy") for each in (there, here)]
        np.testing.assert_allclose(*depths, rtol=1e-5)


def test_what_it_says_without_arguments(onnx, capsys):
    change(onnx, camera={"focal_length": [40, 41]}, fit="crop")
    assert run.main([], onnx) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(None, 1) == ["network", "lite_basic_interl_t: onnx, fp32"]
    assert lines[1].split(None, 1) == ["pictures", "32x48, uint8, NHWC; others by --fit crop"]
    assert lines[2].split(None, 1) == ["camera", "focal length 40, 41 pixels at its input"]
    assert f"OpenCV {cv2.__version__}" in lines[3]
    assert "tensorrt              no: No module named 'tensorrt'" in lines
    assert "onnxruntime-cpu       yes" in lines
    assert lines[-1] == "next: python3 run.py --check"


def test_depth_that_is_not_the_keras_models(onnx, capsys):
    with np.load(onnx / "check.npz") as arrays:
        changed = {**arrays, "depth": 1.001 * arrays["depth"]}
    np.savez(onnx / "check.npz", **{name: x.astype(x.dtype) for name, x in changed.items()})
    assert run.main(["--check"], onnx) == 1
    printed, said = capsys.readouterr()
    assert "max 0.001, mean 0.00091 of the depth; the limit of the max is 0.0001: FAILED" in printed
    assert said == (
        f"run.py: {onnx}: depth differs from the Keras model's; copy the folder again, or give"
        " another --backend\n"
    )
    change(onnx, precision="fp16", parity={"limit": 0.01})
    assert run.main(["--check"], onnx) == 0, "the mean, within a hundredth"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["none.jpg"], "none.jpg: no such file or folder; check its name"),
        (["empty"], "empty: no picture or video in this folder; check its name"),
        (["cut.jpg"], "cut.jpg: no picture that OpenCV can read, or cut short; copy it again"),
        (["depth.png"], "depth.png: gray of 16 bits, which is how depth is stored"),
        (["good.png", "more/good.png"], "both would be written as good_*; rename one"),
        (["no.mp4"], "no.mp4: no video that OpenCV can open; convert it to mp4 (H.264)"),
        (["--camera", "97"], "camera 97: cannot be opened; check that it is plugged in"),
        (["--camera", "rtsp://127.0.0.1:1/x"], "camera rtsp://127.0.0.1:1/x: cannot be opened"),
        (["good.png", "--intrinsics", "50,50,300,25"], "so these are intrinsics of another size"),
        (["good.png", "--backend", "litert"], "--backend litert: this network is onnx; give one"),
        (["good.png", "--backend", "tensorrt"], "--backend tensorrt: No module named 'tensorrt'"),
        (["good.png", "--output", "cut.jpg"], "--output cut.jpg: cannot be made (File exists)"),
        (["more", "--output", "./more"], "--output more: also an input, whose next run would take"),
    ],
)
def test_bad_input(onnx, tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    good = np.full((32, 48, 3), 100, np.uint8)
    for folder in ("empty", "more"):
        Path(folder).mkdir()
    for name in ("good.png", "more/good.png"):
        Path(name).write_bytes(encode_png(good))
    Path("cut.jpg").write_bytes(encode_jpeg(good)[:200])
    Path("depth.png").write_bytes(encode_png(np.full((4, 4), 1000, np.uint16)))
    Path("no.mp4").write_bytes(b"no video")
    assert run.main(["--output", "out", *arguments], onnx) == 2
    said = capfd.readouterr().err.splitlines()
    assert said[-1].startswith("run.py: ") and message in said[-1]
    assert not Path("out").exists() or not os.listdir("out"), "nothing half written"


def test_gstreamers_text_where_opencv_has_none(onnx, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "    GStreamer:    NO\n")
    text = "nvarguscamerasrc ! nvvidconv ! videoconvert ! appsink"
    assert run.main(["--camera", text, "--output", str(tmp_path / "out")], onnx) == 2
    assert f"camera {text}: this OpenCV ({cv2.__version__}) has no GStreamer; use" in (
        capsys.readouterr().err
    )


def test_one_bad_picture_does_not_stop_the_others(onnx, pictures, tmp_path, capsys):
    (pictures / "5.jpg").write_bytes(b"no picture")
    output = tmp_path / "out"
    assert run.main([str(pictures), "--output", str(output), "--format", "png"], onnx) == 2
    assert sorted(os.listdir(output)) == ["10_depth.png", "2_depth.png"]
    assert f"run.py: {pictures}/5.jpg: no picture" in capsys.readouterr().err


def test_a_machine_without_a_runtime(onnx, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run.main(["--check"], onnx) == 2
    said = capsys.readouterr().err
    assert said.startswith("run.py: nothing here runs onnx, so install one of these: tensorrt: No")
    assert "onnxruntime-cpu: import of onnxruntime halted" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("export.json", "{", "export.json: damaged; copy the folder again"),
        ("export.json", '{"format": "onnx", "input": []}', "export.json: damaged"),
        ("export.json", None, "export.json: cannot be read (No such file or directory); keep run"),
        ("check.npz", "text", "check.npz: damaged; copy the folder again"),
        ("check.npz", None, "check.npz: missing; copy the whole folder of the exported network"),
        ("model.onnx", None, "model.onnx: missing; copy the whole folder"),
        ("model.onnx", "text", "model.onnx: onnxruntime cannot load it ("),
    ],
)
def test_damaged_folders(onnx, name, content, message, capsys):
    (onnx / name).unlink()
    if content:
        (onnx / name).write_text(content)
    assert run.main(["--check"], onnx) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"run.py: {onnx}/") and message in said and said.count("\n") == 1


def test_what_tftrt_has_converted_counts(onnx):
    """Not what the SavedModel that it was converted from is: the board chose the precision."""
    details = json.loads((onnx / "export.json").read_text())
    (onnx / "export.json").write_text(json.dumps({**details, "format": "tftrt"}))
    assert (run.Export(onnx).precision, run.Export(onnx).limit) == ("fp32", 1e-4)
    (onnx / "converted").mkdir()
    (onnx / "converted" / "tftrt.json").write_text('{"precision": "INT8"}')
    export = run.Export(onnx)
    assert (export.precision, export.limit, export.converted) == ("int8", 0.1, True)


def test_a_disk_that_is_full(onnx, pictures, tmp_path, monkeypatch, capsys):
    def fail(self, content):
        with open(self, "wb") as file:
            file.write(content[:1])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", fail)
    output = tmp_path / "out"
    assert run.main([str(pictures / "2.png"), "--output", str(output)], onnx) == 2
    assert f"{output}/2_depth.png: cannot be written (No space left" in capsys.readouterr().err
    assert not os.listdir(output)


def write_files(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


MACHINES = {
    "Jetson with JetPack 5 or later": (
        {
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano\0",
            "sys/class/hwmon/hwmon1/name": "ina3221",
            "sys/class/hwmon/hwmon1/in1_label": "VDD_IN",
            "sys/class/hwmon/hwmon1/in1_input": "5000",
            "sys/class/hwmon/hwmon1/curr1_input": "1200",
            "sys/class/hwmon/hwmon1/in2_label": "VDD_CPU_GPU_CV",
            "sys/class/hwmon/hwmon1/in2_input": "5000",
            "sys/class/hwmon/hwmon1/curr2_input": "400",
            "sys/class/devfreq/17000000.gpu/cur_freq": "624750000",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1510400",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "729600",
            "sys/class/thermal/thermal_zone0/temp": "48500",
            "sys/class/thermal/thermal_zone0/type": "gpu-thermal",
            "sys/class/thermal/thermal_zone1/temp": "100000",
            "sys/class/thermal/thermal_zone1/type": "PMIC-Die",
            "sys/class/thermal/thermal_zone2/temp": "-256000",
        },
        "NVIDIA Jetson Orin Nano",
        ({"cpu_mhz": 1510, "gpu_mhz": 625}, 6.0, "VDD_IN", 48.5),
    ),
    "Jetson with JetPack 4": (
        {
            "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
            "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input": "3100",
            "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0": "POM_5V_IN",
            "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input": "900",
            "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1": "POM_5V_GPU",
        },
        "NVIDIA Jetson Nano Developer Kit",
        (None, 3.1, "POM_5V_IN", None),
    ),
    "a board whose rails add up": (
        {
            "proc/cpuinfo": "model name\t: a CPU\ncpu MHz\t\t: 2400.1\ncpu MHz\t\t: 900.0\n",
            "sys/class/hwmon/hwmon0/name": "ina3221",
            **{
                f"sys/class/hwmon/hwmon0/{name}": text
                for i, (rail, amperes) in enumerate({"CPU": "1000", "GPU": "2000"}.items(), 1)
                for name, text in {
                    f"in{i}_label": rail,
                    f"in{i}_input": "19000",
                    f"curr{i}_input": amperes,
                }.items()
            },
        },
        "a CPU",
        ({"cpu_mhz": 2400}, 57.0, "CPU, GPU", None),
    ),
    "nothing": ({}, None, (None, None, None, None)),
}


@pytest.mark.parametrize("machine", MACHINES)
def test_sensors(machine, tmp_path, monkeypatch):
    files, board, (clocks, watts, of, celsius) = MACHINES[machine]
    write_files(tmp_path, files)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", "")
    sensors = run.Sensors()
    sensors.sample()
    assert sensors.report() == {
        "clocks": clocks,
        "power_watts": watts,
        "power_of": of,
        "temperature_celsius": celsius,
    }
    assert board is None or run.board() == board


def test_power_by_the_energy_of_a_cpu_and_modes_by_commands(tmp_path, monkeypatch):
    energy = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    write_files(tmp_path, {energy: "1000000", energy.with_name("name"): "package-0"})
    for name, text in {"nvpmodel": "NV Power Mode: MAXN", "vcgencmd": "throttled=0x50000"}.items():
        write_files(tmp_path, {f"bin/{name}": f"#!/bin/sh\necho {text}\n"})
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(run.time, "perf_counter", lambda: next(clock))
    sensors = run.Sensors()
    energy.write_text("31000000")
    report = sensors.report()
    assert (report["power_watts"], report["power_of"]) == (15.0, "RAPL package")
    assert report["clocks"] == {"power_mode": "MAXN", "throttled": "0x50000"}


def test_cores_are_counted_once(tmp_path, monkeypatch):
    for cpu, core in enumerate((0, 0, 1, 1)):
        folder = f"sys/devices/system/cpu/cpu{cpu}/topology"
        write_files(
            tmp_path, {f"{folder}/core_id": str(core), f"{folder}/physical_package_id": "0"}
        )
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    assert run.cores() == 2
    monkeypatch.setattr(run, "ROOT", tmp_path / "none")
    assert run.cores() == 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["room.jpg"], "give --output, the folder for the depth"),
        (["room.jpg", "--output", "o", "--format", "ply"], "a point cloud (ply) needs"),
        (["room.jpg", "--output", "o", "--format", "pgm"], "'pgm': give some of png, npy"),
        (["--json", "x.json"], "--json is what --bench writes; give --bench too"),
        (["--bench", "--runs", "0"], "'0': give a whole number, 1 or more"),
        (["--fov", "200"], "'200': give degrees, above 0 and below 180"),
        (["--intrinsics", "1,2,3"], "'1,2,3': give 4 numbers with commas between"),
        (["--intrinsics", "0,2,3,4"], "FX and FY are pixels, above 0"),
        (["--range", "5,2"], "'5,2': give NEAR,FAR in metres"),
    ],
)
def test_bad_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run.main(arguments)
    assert message in capsys.readouterr().err
