"""python -m keras_depth.build_ops: compiles the custom op against the installed TensorFlow."""

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
from keras_depth.errors import InputError, check_choice
from keras_depth.files import make_folder

# The default of --cuda-architectures; those that the installed nvcc does not know are left out.
# Jetson (Nano/TX1, TX2, Xavier, Orin), then desktop and server, Volta to Blackwell.
CUDA_ARCHITECTURES = ("53", "62", "72", "87", "70", "75", "80", "86", "89", "90", "100", "120")


def build(force: bool = False, cuda_architectures: Sequence[str] | None = None) -> Path:
    """Compiles the interleave op unless its library exists, and returns the library.

    CUDA kernels are compiled where nvcc is found, on PATH or in /usr/local/cuda/bin.

    Args:
        force: compile even if the library exists.
        cuda_architectures: compute capabilities without the dot, such as ["72", "87"]; compiles
            even if the library exists. None: those of `CUDA_ARCHITECTURES` that nvcc knows.

    Raises:
        InputError: a compiler is missing or fails, or nvcc does not know an architecture.
    """
    load_tensorflow()
    from keras_depth.layers.interleave import has_cuda_kernels, library_path

    library = library_path()
    if library.is_file() and not force and not cuda_architectures:
        print(f"{library} exists, {_kernels(has_cuda_kernels(library))}; --force builds it again")
        return library
    gcc, nvcc = _find_gcc(), _find_nvcc()
    if cuda_architectures and not nvcc:
        raise InputError(
            "nvcc is neither on PATH nor in /usr/local/cuda/bin; install the CUDA toolkit"
        )
    start = time.perf_counter()
    make_folder(library.parent)
    # Beside the library, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        if nvcc:
            built = _compile_with_cuda(gcc, nvcc, _code_flags(nvcc, cuda_architectures), folder)
        else:
            built = _compile(gcc, folder)
        os.replace(built, library)
    seconds = time.perf_counter() - start
    print(f"built {library} in {seconds:.0f} s, {_kernels(has_cuda_kernels(library))}")
    return library


def main() -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(
        prog=program("build_ops"),
        description="Compiles the custom op against the installed TensorFlow, into the user's "
        "cache folder. It needs g++; with nvcc it compiles CUDA kernels too.",
        epilog="example: python -m keras_depth.build_ops --cuda-architectures 72,87",
    )
    parser.add_argument(
        "--cuda-architectures",
        type=lambda text: text.split(","),
        metavar="LIST",
        help="compute capabilities, comma-separated: 53 is Jetson Nano, 62 TX2, 72 Xavier, 87 Orin "
        "(default: these and those of desktops, of the ones nvcc knows)",
    )
    parser.add_argument("--force", action="store_true", help="compile even if the library exists")
    options = parser.parse_args()
    build(options.force, options.cuda_architectures)


def _kernels(cuda: bool) -> str:
    return "with CPU and CUDA kernels" if cuda else "with CPU kernels only (no nvcc)"


def _find_gcc() -> str:
    found = shutil.which("g++")
    if not found:
        raise InputError("g++ is not installed; install it (Debian, Ubuntu: apt install g++)")
    return found


def _find_nvcc() -> str | None:
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def _compile(gcc: str, folder: str) -> str:
    """Compiles and links the op with CPU kernels only; returns the library."""
    import tensorflow as tf

    built = f"{folder}/interleave.so"
    op = _compile_op(gcc, folder)
    _run([gcc, "-shared", op, *tf.sysconfig.get_link_flags(), "-o", built])
    return built


def _compile_with_cuda(gcc: str, nvcc: str, code_flags: list[str], folder: str) -> str:
    """Compiles and links the op with CPU and CUDA kernels; returns the library."""
    import tensorflow as tf

    kernels, built = f"{folder}/cuda.o", f"{folder}/interleave.so"
    op = _compile_op(gcc, folder, "-DKERAS_DEPTH_CUDA")
    options = ["-O3", "-std=c++17", "-Xcompiler", "-fPIC", "--threads", "0", *code_flags]
    _run([nvcc, *options, "-c", f"{_sources()}/interleave_cuda.cu", "-o", kernels])
    # The library has a CUDA runtime of its own, hidden: TensorFlow exports functions of the same
    # names from another version of CUDA. It needs no driver until a kernel starts.
    cuda_runtime = ["-Xlinker", "--exclude-libs=ALL", "-lcudart_static"]
    link_flags = tf.sysconfig.get_link_flags()
    _run([nvcc, "-shared", op, kernels, *cuda_runtime, *link_flags, "-o", built])
    return built


def _compile_op(gcc: str, folder: str, *defines: str) -> str:
    import tensorflow as tf

    compiled = f"{folder}/op.o"
    options = ["-O3", "-fPIC", "-w"]  # -w: TensorFlow's headers cause warnings
    options += [*tf.sysconfig.get_compile_flags(), *defines]
    _run([gcc, *options, "-c", f"{_sources()}/interleave_op.cc", "-o", compiled])
    return compiled


def _sources() -> Path:
    return files.resource_folder("custom_ops") / "interleave"


def _code_flags(nvcc: str, asked: Sequence[str] | None) -> list[str]:
    """Returns nvcc's flags: code for each architecture, and PTX of the newest for later GPUs.

    Raises:
        InputError: nvcc does not know an architecture that was asked for.
    """
    listed = _run([nvcc, "--list-gpu-arch"]).split()
    known = [name.removeprefix("compute_") for name in listed]
    for name in asked or ():
        check_choice("CUDA architecture", name, known)
    chosen = sorted(asked or set(CUDA_ARCHITECTURES).intersection(known), key=int)
    flags = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in chosen]
    return [*flags, f"-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}"]


def _run(command: list[str]) -> str:
    """Runs a compiler and returns its output.

    Raises:
        InputError: it fails; the message has the command and the first errors.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise InputError("\n".join(["failed: " + " ".join(command), *errors[:5]]))
    return done.stdout


if __name__ == "__main__":
    run(main)
