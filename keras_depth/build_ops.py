"""Compiles the custom op against the installed TensorFlow: `python -m keras_depth.build_ops`."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from keras_depth import files
from keras_depth.command import load_tensorflow, program, run
from keras_depth.errors import InputError, unknown_name

# What is compiled for unless --cuda-architectures says otherwise, as far as the nvcc knows it:
# Jetson (Nano/TX1, TX2, Xavier, Orin), then desktop and server, Volta to Blackwell.
CUDA_ARCHITECTURES = ("53", "62", "72", "87", "70", "75", "80", "86", "89", "90", "100", "120")


def build(force: bool = False, cuda_architectures: Sequence[str] | None = None) -> Path:
    """Compiles the interleave op unless it is there already, and returns its library.

    CUDA kernels are compiled where nvcc is found, on PATH or in /usr/local/cuda/bin.

    Args:
        force: compile even if the library is there.
        cuda_architectures: compute capabilities without the dot, such as ["72", "87"]; compiles
            even if the library is there. Default: those of `CUDA_ARCHITECTURES` that nvcc knows.

    Raises:
        InputError: a compiler is missing or fails, or nvcc does not know an architecture.
    """
    load_tensorflow()
    import tensorflow as tf

    from keras_depth.layers.interleave import has_cuda_kernels, library_path

    library = library_path()
    if library.is_file() and not force and not cuda_architectures:
        print(f"{library} is there, {_kernels(has_cuda_kernels(library))}; --force builds it again")
        return library

    compiler = shutil.which("g++")
    if not compiler:
        raise InputError("g++ is not installed: install it (Debian, Ubuntu: apt install g++)")
    nvcc = _find_nvcc()
    if cuda_architectures and not nvcc:
        raise InputError("nvcc is neither on PATH nor in /usr/local/cuda/bin: install the CUDA kit")

    code_flags = _code_flags(nvcc, cuda_architectures) if nvcc else []

    sources = files.resource_folder("custom_ops") / "interleave"
    optimise = ["-O3", "-fPIC", "-w"]  # -w: TensorFlow's headers warn about themselves
    link_flags = tf.sysconfig.get_link_flags()
    library.parent.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    # Beside the library, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=library.parent) as temporary:
        objects = [f"{temporary}/op.o"]
        built = f"{temporary}/{library.name}"
        cuda = ["-DKERAS_DEPTH_CUDA"] if nvcc else []
        _run(
            [compiler, *optimise, *tf.sysconfig.get_compile_flags(), *cuda]
            + ["-c", str(sources / "interleave_op.cc"), "-o", objects[0]]
        )
        if nvcc:
            objects.append(f"{temporary}/cuda.o")
            _run(
                [nvcc, "-O3", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", *code_flags]
                + ["-c", str(sources / "interleave_cuda.cu"), "-o", objects[1]]
            )
            # The library's own CUDA runtime, hidden: TensorFlow exports functions of the same
            # names, of another version of CUDA. It needs no driver until a kernel starts.
            cuda_runtime = ["-Xlinker", "--exclude-libs=ALL", "-lcudart_static"]
            _run([nvcc, "-shared", *objects, *cuda_runtime, *link_flags, "-o", built])
        else:
            _run([compiler, "-shared", *objects, *link_flags, "-o", built])
        os.replace(built, library)
    seconds = time.perf_counter() - start
    print(f"built {library} in {seconds:.0f} s, {_kernels(has_cuda_kernels(library))}")
    return library


def main() -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(
        prog=program("build_ops"),
        description="Compiles the custom op against the installed TensorFlow, into the user's "
        "cache folder. g++ is needed; with nvcc the op gets CUDA kernels too.",
        epilog="example: python -m keras_depth.build_ops --cuda-architectures 72,87",
    )
    parser.add_argument(
        "--cuda-architectures",
        type=lambda text: text.split(","),
        metavar="LIST",
        help="compute capabilities, comma-separated: 53 is Jetson Nano, 62 TX2, 72 Xavier, 87 Orin "
        "(default: these and the desktop's, as far as nvcc knows them)",
    )
    parser.add_argument("--force", action="store_true", help="compile even if it is built already")
    options = parser.parse_args()
    build(options.force, options.cuda_architectures)


def _kernels(cuda: bool) -> str:
    return "with CPU and CUDA kernels" if cuda else "with CPU kernels only (no nvcc)"


def _find_nvcc() -> str | None:
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def _code_flags(nvcc: str, asked: Sequence[str] | None) -> list[str]:
    """Returns nvcc's flags: code for each architecture, and PTX of the newest for later GPUs."""
    listed = _run([nvcc, "--list-gpu-arch"]).split()
    known = [name.removeprefix("compute_") for name in listed]
    for name in asked or ():
        if name not in known:
            raise unknown_name("CUDA architecture", name, known)
    chosen = sorted(asked or set(CUDA_ARCHITECTURES).intersection(known), key=int)
    flags = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in chosen]
    return [*flags, f"-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}"]


def _run(command: list[str]) -> str:
    """Runs a compiler and returns its output; InputError with its first errors if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise InputError("\n".join(["failed: " + " ".join(command), *errors[:5]]))
    return done.stdout


if __name__ == "__main__":
    run(main)
