"""`python -m keras_depth.build_ops`: where it builds, and what it says when it cannot.

tests/test_package.py builds: the command of an installation, whose networks then use the library.
"""

import os
import shutil
import subprocess

import pytest
import tensorflow as tf

from keras_depth import build_ops, files
from keras_depth.errors import InputError
from keras_depth.layers.interleave import has_cuda_kernels, library_path

SOURCES = files.resource_folder("custom_ops") / "interleave"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keras_depth"


def needs(compiler):
    return pytest.mark.skipif(not shutil.which(compiler), reason=f"{compiler} is not installed")


def test_the_name_is_the_stamp(monkeypatch, cache, tmp_path):
    path = library_path()
    assert path.parent == cache
    assert path.name.startswith(f"interleave-tf{tf.__version__}-")

    edited = tmp_path / "custom_ops" / "interleave"
    shutil.copytree(SOURCES, edited)
    monkeypatch.setattr(files, "resource_folder", lambda name: edited.parent)
    assert library_path() == path  # the same sources elsewhere
    with open(edited / "interleave_op.cc", "a") as source:
        source.write("// edited\n")
    assert library_path() != path


def test_an_existing_library_is_kept(cache, capsys):
    cache.mkdir()
    library_path().write_bytes(b"a library")
    assert build_ops.build() == library_path()
    assert library_path().read_bytes() == b"a library"
    assert "exists, with CPU kernels only" in capsys.readouterr().out


def test_missing_compiler_says_what_to_install(cache, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(InputError, match="g\\+\\+ is not installed; install it"):
        build_ops.build()


def test_cuda_architectures_need_nvcc(cache, monkeypatch):
    monkeypatch.setattr(
        shutil, "which", lambda name, path=None: "/usr/bin/g++" if name == "g++" else None
    )
    with pytest.raises(InputError, match="nvcc is neither on PATH"):
        build_ops.build(cuda_architectures=["87"])


@needs("g++")
def test_failing_compiler_shows_command_and_first_errors(cache, monkeypatch, tmp_path):
    broken = tmp_path / "custom_ops" / "interleave"
    shutil.copytree(SOURCES, broken)
    (broken / "interleave_op.cc").write_text("int main() { return missing; }")
    monkeypatch.setattr(files, "resource_folder", lambda name: broken.parent)
    with pytest.raises(InputError) as error:
        build_ops.build()
    first, *errors = str(error.value).splitlines()
    assert first.startswith("failed: ") and "interleave_op.cc" in first
    assert "'missing' was not declared" in errors[0].replace("‘", "'").replace("’", "'")
    assert list(cache.iterdir()) == []  # nothing half-built is left


NVCC = {
    "another g++": (
        "case $1 in --list-gpu-arch) echo compute_70; exit 0;; esac\n"
        "echo '#error -- unsupported GNU version!' >&2; exit 1",
        "#error -- unsupported GNU version!",
    ),
    "before 11": ("echo 'nvcc fatal : Unknown option' >&2; exit 1", "nvcc fatal : Unknown option"),
    "of other GPUs": ("echo compute_20", "names none of 53, 62"),
    "silent": ("exit 139", "exit code 139"),
    "killed": ("kill -9 $$", "ended by signal 9"),
    "waiting for an answer": (
        "read answer || { echo 'error: no answer' >&2; exit 1; }",
        "no answer",
    ),
}


@pytest.mark.parametrize(("script", "reason"), NVCC.values(), ids=NVCC)
def test_where_nvcc_fails_the_op_is_built_for_cpus(
    cache, monkeypatch, tmp_path, capsys, script, reason
):
    nvcc = pretend(f"#!/bin/sh\n{script}\n".encode(), monkeypatch, tmp_path)
    assert build_ops.build().read_bytes() == b"CPU kernels"
    printed = capsys.readouterr()
    assert f"warning: {nvcc} failed (" in printed.err and reason in printed.err
    assert "--cpu-only" in printed.err and "with CPU kernels only" in printed.out
    with pytest.raises(InputError, match="failed|known|none"):  # they were asked for
        build_ops.build(cuda_architectures=["70"])


@pytest.mark.slow
@pytest.mark.parametrize("written", ["", "echo junk > $last"], ids=["nothing", "junk"])
def test_a_library_that_does_not_load_is_not_kept(cache, monkeypatch, tmp_path, capsys, written):
    listed = "case $1 in --list-gpu-arch) echo compute_75; exit 0;; esac"
    script = f"#!/bin/sh\n{listed}\nfor last; do :; done\n{written}\n"
    pretend(script.encode(), monkeypatch, tmp_path)
    assert build_ops.build().read_bytes() == b"CPU kernels"
    assert "interleave.so" in capsys.readouterr().err


def test_a_relative_cache_is_not_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert library_path().parent == tmp_path / ".cache" / "keras_depth"


def pretend(nvcc, monkeypatch, folder):
    """Puts an nvcc of this content in place, and a g++ that takes no time; returns its path."""
    path = folder / "nvcc"
    path.write_bytes(nvcc)
    path.chmod(0o755)
    monkeypatch.setattr(build_ops, "_find_nvcc", lambda: str(path))
    monkeypatch.setattr(build_ops, "_compile_op", lambda gcc, folder, *defines: f"{folder}/op.o")
    monkeypatch.setattr(build_ops, "_compile", compile_at_once)
    return path


def compile_at_once(gcc, folder):
    library = f"{folder}/interleave.so"
    with open(library, "wb") as file:
        file.write(b"CPU kernels")
    return library


def test_an_nvcc_that_is_no_program(cache, monkeypatch, tmp_path, capsys):
    nvcc = pretend(b"\x7fELF of another processor", monkeypatch, tmp_path)
    build_ops.build()
    assert f"{nvcc}: Exec format error" in capsys.readouterr().err


def test_cpu_only_leaves_nvcc_alone(cache, monkeypatch):
    monkeypatch.setattr(build_ops, "_find_nvcc", lambda: pytest.fail("looked for nvcc"))
    monkeypatch.setattr(build_ops, "_compile", compile_at_once)
    build_ops.build(cpu_only=True)
    with pytest.raises(InputError, match="--cpu-only leaves nvcc out"):
        build_ops.build(cpu_only=True, cuda_architectures=["87"])


def test_without_a_home_folder(monkeypatch):
    """A user without an entry in passwd: docker run -u 12345."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does then
    with pytest.raises(InputError, match="no home folder; set XDG_CACHE_HOME"):
        build_ops.build()


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="file/keras_depth: cannot be written .*XDG_CACHE_HOME"):
        build_ops.build()


@needs("nvcc")
def test_unknown_cuda_architecture_names_the_known(cache):
    with pytest.raises(InputError, match="unknown CUDA architecture '1': .*known are .*90"):
        build_ops.build(cuda_architectures=["1"])


@needs("nvcc")
def test_cuda_benchmark_compiles_and_links(tmp_path):
    command = ["nvcc", "-std=c++17", SOURCES / "benchmark.cu", SOURCES / "interleave_cuda.cu"]
    subprocess.run([*command, "-o", tmp_path / "interleave_benchmark"], check=True)
    assert (tmp_path / "interleave_benchmark").is_file()


@needs("nvcc")
def test_library_with_cuda_kernels_needs_no_cuda_library():
    """So that it loads on a machine without a GPU, and beside any CUDA that TensorFlow brings."""
    library = build_ops.build()
    listed = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True)
    assert has_cuda_kernels(library)
    assert "cuda" not in listed.stdout.lower()
