"""Packages what pyproject.toml cannot say: the carried folders, and the README of an index page."""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Folders at the top of the repository that an installed package carries inside itself.
CARRIED = {
    "keras_depth.training": "training",
    "keras_depth.published": "evaluation/published",
    "keras_depth.custom_ops": "custom_ops",
}


def index_page() -> str:
    """Returns the README with links that work on a page of a package index.

    Files and pictures are linked in the repository that `project.urls` names as `Repository`.
    Without one, pictures with their captions are left out, and links become plain text.
    """
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    repository = project["urls"].get("Repository")
    if repository:
        readme = re.sub(r"(!\[[^]]*\]\()(?!https?:)", rf"\1{repository}/raw/HEAD/", readme)
        return re.sub(r"(?<!!)(\[[^]]*\]\()(?!https?:|#)", rf"\1{repository}/blob/HEAD/", readme)
    readme = re.sub(r"^!\[[^]]*\]\((?!https?:).*?\)\n+(\*[^*]+\*\n)?", "", readme, flags=re.M)
    return re.sub(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)", r"\1", readme)


setup(
    long_description=index_page(),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["keras_depth", "keras_depth.*"]) + list(CARRIED),
    package_dir=CARRIED,
    package_data={
        "keras_depth": ["py.typed"],
        "keras_depth.data.nyu": ["*.csv"],
        "keras_depth.data.kitti": ["*.csv"],
        "keras_depth.presets": ["*/*"],
        "keras_depth.fit": ["boards.yaml"],
        "keras_depth.serve": ["page.html"],
        "keras_depth.reproduce": ["page.html"],
        "keras_depth.training": ["**/*.yaml"],
        "keras_depth.published": ["*.yaml"],
        "keras_depth.custom_ops": ["*/*.cc", "*/*.cu", "*/*.h", "*/*.md"],
    },
)
