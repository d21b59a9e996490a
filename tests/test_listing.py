"""Folders are listed by one rule, whoever lists them."""

import os

import pytest

from keras_depth import listing
from keras_depth.errors import InputError


def names(paths):
    return [path.name for path in paths]


@pytest.fixture
def folder(tmp_path):
    for name in ("10.png", "2.PNG", "a²3.png", ".DS_Store", "._2.PNG", "notes"):
        (tmp_path / name).write_bytes(b"")
    for name in ("b10", "b9", ".git", "lost+found"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_a_folder_is_listed_by_number_without_what_is_hidden(folder):
    found = listing.look(folder)
    assert names(found.files) == ["2.PNG", "10.png", "a²3.png", "notes"]
    assert names(found.folders) == ["b9", "b10"] and found.lost == []
    assert [listing.ending(file) for file in found.files] == [".png", ".png", ".png", ""]


def test_links(folder):
    (folder / "to_file.png").symlink_to("10.png")
    (folder / "to_folder").symlink_to("b9")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "itself.png").symlink_to("itself.png")
    found = listing.look(folder)
    assert "to_file.png" in names(found.files) and "to_folder" in names(found.folders)
    assert names(found.lost) == ["itself.png", "nowhere.png"]


def test_a_link_to_what_is_lost(folder):
    (folder / "itself").symlink_to("itself")
    listing.check_links([folder / "10.png", folder / "gone", folder / "itself"])
    (folder / "disk").symlink_to("/mnt/gone/disk")
    with pytest.raises(InputError, match="disk: this link leads to /mnt/gone/disk, which is not"):
        listing.check_links([folder / "10.png", folder / "disk"])


def test_each_folder_is_walked_once(folder):
    (folder / "b9" / "up").symlink_to(folder)
    (folder / "b1").symlink_to("b10")  # sorts before the folder that it leads to
    (folder / "b10" / "deep" / "deeper").mkdir(parents=True)
    walked = [path.relative_to(folder).as_posix() for path, _ in listing.walk(folder)]
    assert walked == [".", "b9", "b10", "b10/deep", "b10/deep/deeper"]
    assert [path for path, _ in listing.walk(folder, levels=1)][1:] == [
        folder / "b9",
        folder / "b10",
    ]
    pruned = []
    for path, found in listing.walk(folder):
        pruned.append(path.name)
        found.folders.clear()
    assert pruned == [folder.name]


def test_folders_that_cannot_be_listed(tmp_path):
    with pytest.raises(InputError, match="gone: cannot be read .No such file.*; restore"):
        listing.look(tmp_path / "gone")


def test_names_that_are_not_utf_8(tmp_path):
    strange = tmp_path / os.fsdecode(b"caf\xe9.png")
    strange.write_bytes(b"")
    assert listing.look(tmp_path).files == [strange]


def test_files_that_a_list_names(folder):
    folders = listing.Folders()
    for name, found in (("2.png", "2.PNG"), ("10.PnG", "10.png"), ("notes", "notes")):
        assert folders.find(f"{folder}/{name}") == f"{folder}/{found}"
    for name in ("3.png", "._2.PNG", "gone/2.png"):
        assert folders.find(f"{folder}/{name}") is None
