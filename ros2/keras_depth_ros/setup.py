"""Packages the node for colcon: `colcon build` of this folder alone."""

from glob import glob

from setuptools import setup

NAME = "keras_depth_ros"

setup(
    name=NAME,
    version="0.1.0",
    description="Depth of a camera's pictures, by a network that keras_depth exported",
    author="The keras_depth authors",
    license="Apache-2.0",
    packages=[NAME],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/config", glob("config/*")),
        (f"share/{NAME}/launch", glob("launch/*")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    entry_points={"console_scripts": ["depth = keras_depth_ros.__main__:main"]},
)
