"""python -m keras_depth.build_ops: compiles the custom op against the installed TensorFlow."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from keras_depth import files
from keras_depth.command import load_tensorflow, program, run, suggest
from keras_depth.errors import InputError, check_choice
from keras_depth.files import make_folder

# The default of --cuda-architectures; those that the installed nvcc does not know are left out.
# Jetson (Nano/TX1, TX2, Xavier, Orin), then desktop and server, Volta to Blackwell.
CUDA_ARCHITECTURES = ("53", "62", "72", "87", "70", "75", "80", "86", "89", "90", "100", "120")


def build(
    force: bool = False,
    cuda_architectures: Sequence[str] | None = None,
    cpu_only: bool = False,
) -> Path:
    """Compiles the interleave op unless its library exists, and returns the library.

    CUDA kernels are compiled where nvcc is found, on PATH or in /usr/local/cuda/bin. They make the
    op faster on a GPU, and nothing else needs them: where nvcc fails, a warning says so, and the
    library has CPU kernels only.

    Args:
        force: compile even if the library exists.
        cuda_architectures: compute capabilities without the dot, such as ["72", "87"]; compiles
            even if the library exists, and nvcc may not fail then. None: those of
            `CUDA_ARCHITECTURES` that nvcc knows.
        cpu_only: leave nvcc alone, and compile CPU kernels.

    Raises:
        InputError: g++ is missing or fails, the library's folder cannot be written, or CUDA kernels
            were asked for and nvcc is missing, fails or does not know an architecture.
    """
    if cpu_only and cuda_architectures:
        raise InputError("--cpu-only leaves nvcc out, and --cuda-architectures needs it; give one")
    load_tensorflow()
    from keras_depth.layers.interleave import has_cuda_kernels, library_path

    library = library_path()
    if os.path.isfile(library) and not force and not cuda_architectures:
        print(f"{library} exists, {_kernels(has_cuda_kernels(library))}; --force builds it again")
        return library
    gcc, nvcc = _find_gcc(), None if cpu_only else _find_nvcc()
    if cuda_architectures and not nvcc:
        raise InputError(
            "nvcc is neither on PATH nor in /usr/local/cuda/bin; install the CUDA toolkit"
        )
    start = time.perf_counter()
    # Beside the library, so that the last step is a rename within one file system.
    with _folder_beside(library) as folder:
        built = _compile_kernels(gcc, nvcc, cuda_architectures, folder)
        os.replace(built, library)
    seconds = time.perf_counter() - start
    print(f"built {library} in {seconds:.0f} s, {_kernels(has_cuda_kernels(library))}")
    return library


def main() -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(
        prog=program("build_ops"),
        description="Compiles the custom op against the installed TensorFlow, into the user's "
        "cache folder. It needs g++; where nvcc works, it compiles CUDA kernels too.",
        epilog="example: python -m keras_depth.build_ops --cuda-architectures 72,87",
    )
    parser.add_argument(
        "--cuda-architectures",
        type=lambda text: text.split(","),
        metavar="LIST",
        help="compute capabilities, comma-separated: 53 is Jetson Nano, 62 TX2, 72 Xavier, 87 Orin "
        "(default: these and those of desktops, of the ones nvcc knows)",
    )
    parser.add_argument(
        "--cpu-only", action="store_true", help="compile CPU kernels only, even where nvcc is"
    )
    parser.add_argument("--force", action="store_true", help="compile even if the library exists")
    options = parser.parse_args()
    build(options.force, options.cuda_architectures, options.cpu_only)
    suggest("train", "--arch", "lite_basic_interl_t")


def _kernels(cuda: bool) -> str:
    return "with CPU and CUDA kernels" if cuda else "with CPU kernels only"


def _folder_beside(library: Path) -> tempfile.TemporaryDirectory:
    """Makes a temporary folder beside the library.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        make_folder(library.parent)
        return tempfile.TemporaryDirectory(dir=library.parent)
    except (InputError, OSError) as error:
        reason = error.__cause__ if isinstance(error, InputError) else error
        raise InputError(
            f"{library.parent}: cannot be written ({getattr(reason, 'strerror', reason)}); set"
            " XDG_CACHE_HOME to another folder, here and for every command that uses the op"
        ) from error


def _find_gcc() -> str:
    found = shutil.which("g++")
    if not found:
        raise InputError("g++ is not installed; install it (Debian, Ubuntu: apt install g++)")
    return found


def _find_nvcc() -> str | None:
    return shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


def _compile_kernels(gcc: str, nvcc: str | None, asked: Sequence[str] | None, folder: str) -> str:
    """Compiles with nvcc if there is one, and without it if it fails; returns the library."""
    if nvcc is None:
        return _compile(gcc, folder)
    try:
        built = _compile_with_cuda(gcc, nvcc, _code_flags(nvcc, asked), folder)
        _check_loads(built)
        return built
    except InputError as error:
        if asked:
            raise
        reason = str(error).splitlines()[1]
        print(
            f"warning: {nvcc} failed ({reason}), so the op gets CPU kernels only;"
            " for CUDA kernels install a CUDA toolkit that takes this g++, or leave nvcc out with"
            " --cpu-only",
            file=sys.stderr,
        )
        return _compile(gcc, folder)


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
    listed = _run([nvcc, "--list-gpu-arch"], minutes=1).split()
    known = [name.removeprefix("compute_") for name in listed]
    for name in asked or ():
        check_choice("CUDA architecture", name, known)
    wanted = asked or set(CUDA_ARCHITECTURES).intersection(known)
    if not wanted:
        names = ", ".join(CUDA_ARCHITECTURES)
        raise InputError(f"failed: {nvcc} --list-gpu-arch\nit names none of {names}")
    chosen = sorted(wanted, key=lambda name: int(re.sub(r"\D", "", name)))  # 90a is nvcc's too
    flags = [f"-gencode=arch=compute_{name},code=sm_{name}" for name in chosen]
    return [*flags, f"-gencode=arch=compute_{chosen[-1]},code=compute_{chosen[-1]}"]


# Without TensorFlow's notices on stderr.
_LOAD = """
import os, sys
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
import tensorflow
try:
    tensorflow.load_op_library(sys.argv[1])
except tensorflow.errors.OpError as error:
    sys.exit(print(error) or 1)
"""


def _check_loads(library: str) -> None:
    """Raises InputError unless a new process can load a library; an op cannot be loaded twice."""
    done = subprocess.run([sys.executable, "-c", _LOAD, library], capture_output=True, text=True)
    if done.returncode:
        reason = done.stdout.strip() or f"exit code {done.returncode}"
        raise InputError(f"failed: loading {library}\n{reason}")


def _run(command: list[str], minutes: float = 30) -> str:
    """Runs a compiler and returns its output.

    Raises:
        InputError: it fails, or takes longer; the message has the command and the first errors, in
            lines.
    """
    called = "failed: " + " ".join(command)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,  # a program that asks for something is no compiler
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60 * minutes,
        )
    except OSError as error:  # it is no program of this machine
        raise InputError(f"{called}\n{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{called}\nit did not end within {minutes:g} minutes") from error
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        errors = [line for line in lines if "error" in line.lower()] or lines
        code = done.returncode
        ended = f"exit code {code}" if code > 0 else f"ended by signal {-code}"
        raise InputError("\n".join([called, *(errors[:5] or [ended])]))
    return done.stdout


if __name__ == "__main__":
    run(main)
