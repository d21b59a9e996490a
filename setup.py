"""Packages keras_depth. Recipes, published tables and the op's sources travel in the wheel."""

from setuptools import find_packages, setup

# Folders at the top of the repository that an installed package carries inside itself.
CARRIED = {
    "keras_depth.training": "training",
    "keras_depth.published": "evaluation/published",
    "keras_depth.custom_ops": "custom_ops",
}

setup(
    name="keras_depth",
    version="0.1.0",
    description="Five monocular depth-estimation papers in Keras, from the table to the robot",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["keras_depth", "keras_depth.*"]) + list(CARRIED),
    package_dir=CARRIED,
    package_data={
        "keras_depth.data.nyu": ["*.csv"],
        "keras_depth.data.kitti": ["*.csv"],
        "keras_depth.serve": ["page.html"],
        "keras_depth.reproduce": ["page.html"],
        "keras_depth.training": ["**/*.yaml"],
        "keras_depth.published": ["*.yaml"],
        "keras_depth.custom_ops": ["*/*.cc", "*/*.cu", "*/*.h", "*/*.md"],
    },
    install_requires=[
        "tensorflow>=2.21",  # the engine; its headers build the custom op
        "keras>=3.15",  # earlier Keras loads untrusted files unsafely
        "numpy>=2.0",
        "tensorflow-datasets>=4.9.10",  # reads nyu_depth_v2; builds and reads prepared copies
        "importlib_resources>=6",  # tensorflow-datasets needs it to build, and does not bring it
        "h5py>=3.11",  # labelled .mat (MATLAB v7.3) and FastDepth's frames
        "scipy>=1.13",  # splits.mat (MATLAB v5)
        "opencv-python-headless>=4.10",  # video, camera, 16-bit PNG; no window toolkit
        "matplotlib>=3.9",  # figures and colour maps
        "pillow>=10",  # reads a picture's size before decoding it, and its orientation
        "pyyaml>=6.0",  # recipes
        "markdown>=3.7",  # the report of `reproduce` as a page
        "tqdm>=4.66",  # progress bars
        "tensorboard>=2.20",  # training curves; TensorFlow no longer brings it
    ],
    extras_require={
        "torch": ["torch"],  # reads published weights that exist as PyTorch's files alone
        "onnx": ["tf2onnx>=1.17", "onnx", "onnxruntime"],  # writes, checks and runs ONNX
        "litert": ["ai-edge-litert>=2"],  # runs LiteRT; TensorFlow's own interpreter is leaving it
        "serve": [
            "kserve>=0.21",  # the server's protocols; the next six are its own, and used directly
            *("fastapi", "uvicorn", "httptools", "grpcio", "orjson", "prometheus-client"),
            "tensorflow-serving-api>=2.21",  # the messages of TensorFlow Serving's clients
        ],
        "benchmarks": [
            "torch",
            "scikit-image",
            "psutil",
        ],  # what is compared with; a server's memory
        "notebooks": ["jupyter", "nbclient"],  # runs notebooks/, together with the extra onnx
        "dev": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "nbmake",  # runs the notebooks as tests
            "ipykernel",  # what the notebooks run in
            "selenium>=4.20",  # the server's page, in Debian's chromium
            "ruff>=0.9",
            "mypy>=1.11",
            "jsonschema>=4.21",  # the published tables' schema
            "types-PyYAML",
            "types-Markdown",
            "types-tqdm",
        ],
    },
)
