"""The ROS 2 package's files agree with each other; none of them needs ROS to be read."""

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

import keras_depth

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "ros2" / "keras_depth_ros"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LAUNCH = sorted(PACKAGE.glob("launch/*.launch.xml"))
XML = ElementTree.parse(PACKAGE / "package.xml").getroot()

# Arguments of rtabmap_launch's rtabmap.launch.py that files of ours could have too.
RTABMAP = set(
    "args compressed depth_topic frame_id namespace output qos rgb_topic rviz use_sim_time".split()
)


def parameters():
    """Returns the node's parameters and their defaults, as its source says them."""
    tree = ast.parse((PACKAGE / "keras_depth_ros/node.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARAMETERS":
            return {name: first for name, (first, *_) in ast.literal_eval(node.value).items()}
    raise AssertionError("node.py has no PARAMETERS")


def setup_arguments():
    tree = ast.parse((PACKAGE / "setup.py").read_text())
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
    ]
    return {each.arg: each.value for each in call.keywords}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_python_of_jetpack_5(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


def imported(path):
    """Returns the packages that a source imports, without Python's own."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names


def test_dependencies():
    known = {"numpy": "python3-numpy", "cv2": "python3-opencv"}
    # pip installs onnxruntime, and a JetPack has TensorRT: neither has a rosdep key.
    beside = {"keras_depth_ros", "onnxruntime", "tensorrt"}
    sources = PACKAGE.glob("keras_depth_ros/*.py")
    needed = set().union(*(imported(path) for path in sources)) - beside
    depends = {each.text for each in XML.iter("exec_depend")}
    assert {known.get(name, name) for name in needed} == depends - {"launch_ros", "launch_xml"}
    assert not [path for path in SOURCES if "keras_depth" in imported(path)]


def test_one_name_and_one_version():
    arguments = setup_arguments()
    assert XML.findtext("name") == PACKAGE.name
    assert (PACKAGE / "resource" / PACKAGE.name).is_file()
    assert XML.findtext("version") == ast.literal_eval(arguments["version"])
    assert XML.findtext("version") == keras_depth.__version__
    assert XML.findtext("license") == ast.literal_eval(arguments["license"]) == "Apache-2.0"
    assert (PACKAGE / "LICENSE").read_text() == (REPOSITORY / "LICENSE").read_text()


def test_the_file_of_parameters():
    content = yaml.safe_load((PACKAGE / "config/depth.yaml").read_text())
    assert content == {"/**": {"ros__parameters": parameters()}}


def test_the_profile_of_fast_dds():
    """A picture of 1280x720 fits a message, and several fit the memory."""
    root = ElementTree.parse(PACKAGE / "config/fastdds_large.xml").getroot()
    held = {each.tag.split("}")[1]: each.text for each in root.iter()}
    assert int(held["maxMessageSize"]) > 1280 * 720 * 3
    assert int(held["segment_size"]) >= 4 * int(held["maxMessageSize"])


def test_the_readmes_table_of_parameters():
    """The folder is copied alone, so it has a table of its own."""
    text = (PACKAGE / "README.md").read_text()
    section = text[text.index("| parameter | default |") :].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|\s*`?([^|`]*?)`?\s*\|", section, re.MULTILINE))
    said = {name: yaml.safe_load(default) if default else "" for name, default in rows.items()}
    assert said == parameters()


def executables():
    points = ast.literal_eval(setup_arguments()["entry_points"])["console_scripts"]
    return {point.split(" = ")[0] for point in points}


@pytest.mark.parametrize("path", LAUNCH, ids=lambda path: path.name)
def test_launch_files(path):
    root = ElementTree.parse(path).getroot()
    assert root.tag == "launch"
    declared = {each.get("name") for each in root.findall("arg")}
    used = set(re.findall(r"\$\(var (\w+)\)", path.read_text()))
    assert used == declared
    for node in root.iter("node"):
        if node.get("pkg") == PACKAGE.name:
            assert node.get("exec") in executables()
            given = {each.get("name"): each.get("type") for each in node.findall("param")}
            kinds = {str: "str", bool: "bool", float: "float"}
            known = {name: kinds[type(value)] for name, value in parameters().items()}
            assert given.items() <= known.items()
    for included in root.iter("include"):
        if f"find-pkg-share {PACKAGE.name}" in included.get("file"):
            other = ElementTree.parse(PACKAGE / "launch" / Path(included.get("file")).name)
            accepted = {each.get("name") for each in other.getroot().findall("arg")}
            assert {each.get("name") for each in included.findall("arg")} <= accepted


def test_includes_set_nothing_for_each_other():
    """Outside a group an include's arguments, defaults too, are those of what comes after it."""
    path = PACKAGE / "launch/rtabmap.launch.xml"
    root = ElementTree.parse(path).getroot()
    groups = root.findall("group")
    assert len(list(root.iter("include"))) == len(groups) == 2
    given = []
    for group in groups:
        (included,) = group
        assert included.tag == "include" and group.get("scoped", "true") == "true"
        given.append({each.get("name"): each.get("value") for each in included.findall("arg")})
    ours, theirs = given
    other = ElementTree.parse(path.with_name("depth.launch.xml")).getroot()
    declared = {each.get("name") for each in root.findall("arg")}
    # Of the user's arguments none reaches a file by its name alone.
    assert declared & {each.get("name") for each in other.findall("arg")} <= ours.keys()
    assert declared & RTABMAP <= theirs.keys()
    both = {each.get("name") for each in other.findall("arg")} & RTABMAP
    assert both == {"namespace", "compressed"} and both <= ours.keys() & theirs.keys()
    assert {each["namespace"] for each in given} == {"$(var namespace)"}
    assert not theirs["depth_topic"].startswith("/")


def test_the_documents_table_of_error_lines():
    """Each sentence is one of the node's; `...` stands for what differs."""
    text = (REPOSITORY / "docs/robot.md").read_text()
    section = text[text.index("### What its error lines mean") :].split("\n\n")[1]
    sources = "".join(path.read_text() for path in (PACKAGE / "keras_depth_ros").glob("*.py"))
    sources = re.sub(r'"\s*f?"', "", sources)  # strings that go on in the next line
    sources = sources.replace("{DETAILS}", "export.json").replace("{ONNX}", "model.onnx")
    first_cells = [row.split("|")[1] for row in section.splitlines()[2:]]
    said = [each for cell in first_cells for each in re.findall(r"`([^`]+)`", cell)]
    assert len(said) > 12
    for sentence in said:
        if not sentence.startswith("Trying to set parameter"):  # rclpy's
            assert all(part in sources for part in sentence.split("...")), sentence
