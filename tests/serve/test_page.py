import re
import shutil
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("kserve", reason="serving needs pip install 'keras_depth[serve]'")
pytest.importorskip("selenium", reason="the page is tested by selenium: pip install selenium")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip(
        "chromium and chromedriver are not installed (Debian: apt-get install chromium"
        " chromium-driver)",
        allow_module_level=True,
    )

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from tests.helpers.serving import Server, export  # noqa: E402

NEAR, FAR = (252, 255, 164), (0, 0, 4)  # the ends of inferno, reversed
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),  # a camera
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    export(folder / "mean" / "1", size=(60, 80))
    export(folder / "other" / "1")
    with Server(folder) as running:
        running.wait()
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(server, browser):
    browser.set_window_size(1200, 900)
    browser.get(f"http://127.0.0.1:{server.port}/")
    wait(browser, lambda: browser.find_elements(By.TAG_NAME, "option"))
    return browser


@pytest.fixture
def rooms(tmp_path):
    """A picture that is 2 m away on its left and 8 m on its right."""
    picture = np.full((120, 160, 3), 51, np.uint8)
    picture[:, 80:] = 204
    file = tmp_path / "room.png"
    cv2.imwrite(str(file), picture)
    return file


def wait(browser, condition):
    return WebDriverWait(browser, 60).until(lambda _: condition())


def choose(page, file):
    page.find_element(By.ID, "file").send_keys(str(file))


def text(page, name):
    return page.find_element(By.ID, name).text


def result(page):
    wait(page, lambda: page.find_element(By.ID, "result").is_displayed())


def pixel(page, x, y):
    """Returns R, G, B of the depth canvas at fractions of its sides."""
    script = """
        const canvas = document.getElementById("depth"), [x, y] = arguments;
        const at = [Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1];
        return Array.from(canvas.getContext("2d").getImageData(...at).data);"""
    return tuple(page.execute_script(script, x, y)[:3])


def point(page, name, x, y):
    """Moves the mouse to fractions of an element's sides."""
    element = page.find_element(By.ID, name)
    size = element.size
    offset = (round((x - 0.5) * size["width"]), round((y - 0.5) * size["height"]))
    ActionChains(page).move_to_element_with_offset(element, *offset).perform()


def drop(page, content, name, kind):
    """Drops a file of that content onto the page, as a drag from the desktop ends."""
    script = """
        const [content, name, type] = arguments, transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(content)], name, {type}));
        document.getElementById("drop").dispatchEvent(
          new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));"""
    page.execute_script(script, list(content), name, kind)


def test_a_picture_becomes_depth_in_colours_and_metres(page, rooms):
    choose(page, rooms)
    result(page)
    assert pixel(page, 0.25, 0.5) == NEAR and pixel(page, 0.75, 0.5) == FAR
    assert (text(page, "min"), text(page, "max")) == ("2.00 m", "8.00 m")
    assert text(page, "median") in ("2.00 m", "8.00 m")
    assert (text(page, "low"), text(page, "high")) == ("2.00 m", "8.00 m")
    assert text(page, "time").endswith(" ms")
    assert text(page, "name") == "room.png, 160 × 120"
    picture = page.find_element(By.ID, "picture")
    assert picture.get_property("naturalWidth") == 160
    boxes = [page.find_element(By.ID, name).rect for name in ("picture", "depth")]
    assert boxes[0]["width"] / boxes[0]["height"] == pytest.approx(160 / 120, rel=0.01)
    assert boxes[1]["width"] == pytest.approx(boxes[0]["width"], abs=1)


def test_metres_under_the_mouse_are_those_of_the_depth(page, rooms):
    choose(page, rooms)
    result(page)
    assert text(page, "here") == "–"
    for name in ("depth", "picture"):
        point(page, name, 0.25, 0.5)
        assert text(page, "here") == "2.00 m"
        point(page, name, 0.75, 0.3)
        assert text(page, "here") == "8.00 m"


def test_metres_are_found_by_the_keyboard(page, rooms):
    choose(page, rooms)
    result(page)
    depth = page.find_element(By.ID, "depth")
    depth.send_keys(Keys.ARROW_RIGHT)
    assert text(page, "here") == "8.00 m"
    for _ in range(5):
        depth.send_keys(Keys.ARROW_LEFT)
    assert text(page, "here") == "2.00 m"


def test_pictures_are_dropped_and_pasted(page, rooms):
    drop(page, rooms.read_bytes(), "dropped.png", "image/png")
    result(page)
    assert text(page, "name").startswith("dropped.png") and pixel(page, 0.25, 0.5) == NEAR
    script = """
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(arguments[0])], "pasted.png"));
        dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer}));"""
    page.execute_script(script, list(rooms.read_bytes()))
    wait(page, lambda: text(page, "name").startswith("pasted.png"))


def test_a_text_file_gives_the_servers_sentence(page, rooms):
    choose(page, rooms)
    result(page)
    drop(page, b"no picture", "notes.txt", "text/plain")
    error = page.find_element(By.ID, "error")
    wait(page, error.is_displayed)
    assert error.text == "image[0]: not a picture; give one of JPEG, PNG, PPM, BMP, WEBP, TIFF"
    assert error.get_attribute("role") == "alert"
    assert not page.find_element(By.ID, "result").is_displayed()
    choose(page, rooms)
    result(page)
    assert not error.is_displayed()


def test_a_damaged_picture_gives_the_servers_sentence(page, rooms):
    drop(page, rooms.read_bytes()[:100], "half.png", "image/png")
    wait(page, lambda: text(page, "error"))
    assert "image[0]: cannot be read" in text(page, "error")


def test_the_network_can_be_chosen(page, rooms):
    options = page.find_elements(By.TAG_NAME, "option")
    assert [option.text for option in options] == ["mean", "other"]
    options[1].click()
    choose(page, rooms)
    result(page)
    canvas = page.find_element(By.ID, "depth")
    assert (canvas.get_property("width"), canvas.get_property("height")) == (6, 4)


def test_depth_is_saved_in_millimetres(page, rooms, tmp_path):
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path / "saved")}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    choose(page, rooms)
    result(page)
    page.find_element(By.ID, "save").click()
    file = tmp_path / "saved" / "room_depth.png"
    wait(page, file.exists)
    depth = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16 and depth.shape == (120, 160), "of the picture's size"
    assert (depth[:, :70] == 2000).all() and (depth[:, 90:] == 8000).all()


def test_a_camera_shows_depth_until_it_is_stopped(page, rooms):
    page.get_log("browser")
    camera = page.find_element(By.ID, "camera")
    assert camera.text == "Use the camera"
    camera.click()
    result(page)
    first = page.execute_script("return latest")
    wait(page, lambda: page.execute_script("return latest") > first + 2)
    assert re.fullmatch(r"camera.jpg, \d+ × \d+", text(page, "name"))
    assert text(page, "time").endswith(" ms") and not text(page, "error")
    point(page, "depth", 0.25, 0.5)
    pointed = page.execute_script("return latest")
    wait(page, lambda: page.execute_script("return latest") > pointed + 1)
    assert text(page, "here").endswith(" m"), "the next frame's depth at the same place"
    assert camera.text == "Stop the camera"
    tracks = "return (window.tracks ??= camera.srcObject.getTracks()).map(one => one.readyState)"
    assert page.execute_script(tracks) == ["live"]
    camera.click()
    assert camera.text == "Use the camera"
    assert page.execute_script(tracks) == ["ended"], "its light goes out"
    choose(page, rooms)
    wait(page, lambda: text(page, "name") == "room.png, 160 × 120")
    assert not page.get_log("browser"), "errors in the console"


def test_a_picture_takes_the_place_of_the_camera(page, rooms):
    page.find_element(By.ID, "camera").click()
    result(page)
    choose(page, rooms)
    wait(page, lambda: text(page, "name") == "room.png, 160 × 120")
    assert text(page, "camera") == "Use the camera" and text(page, "here") == "–"


@pytest.mark.parametrize(
    "devices, sentence",
    [
        (
            "undefined",
            "to pages of localhost or https only; on the server's machine, open this page at",
        ),
        (
            "{getUserMedia: async () => { throw new DOMException('', 'NotAllowedError'); }}",
            "does not let this page use the camera",
        ),
        (
            "{getUserMedia: async () => { throw new DOMException('', 'NotFoundError'); }}",
            "This machine has no camera.",
        ),
        (
            "{getUserMedia: async () => { throw new DOMException('in use', 'NotReadableError'); }}",
            "The camera does not start (in use).",
        ),
    ],
)
def test_why_there_is_no_camera(page, devices, sentence):
    value = f"Object.defineProperty(navigator, 'mediaDevices', {{value: {devices}}})"
    page.execute_script(value)
    camera = page.find_element(By.ID, "camera")
    camera.click()
    wait(page, lambda: sentence in text(page, "error"))
    assert camera.is_enabled() and camera.text == "Use the camera"


def test_a_server_that_is_gone_is_said(page, rooms):
    page.execute_script("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    choose(page, rooms)
    wait(page, lambda: text(page, "error"))
    assert text(page, "error") == "The server does not answer; is it still running?"


def test_everything_has_a_name_and_a_phone_shows_all_of_it(page, rooms):
    choose(page, rooms)
    result(page)
    page.set_window_size(390, 844)
    time.sleep(0.3)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        width = page.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390, "the page scrolls sideways"
        boxes = [page.find_element(By.ID, name).rect for name in ("picture", "depth")]
        assert boxes[1]["y"] > boxes[0]["y"] + boxes[0]["height"] - 1, (
            "they are one above the other"
        )
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    for name, words in (
        ("file", "Choose a picture"),
        ("model", "Network"),
        ("camera", "Use the camera"),
        ("save", "Save depth"),
        ("picture", "The picture room.png"),
        ("depth", "Depth of room.png: 2.00 m to 8.00 m"),
        ("result", "Result"),
    ):
        assert words in page.find_element(By.ID, name).accessible_name


def test_it_asks_nobody_but_this_server(page, server, rooms):
    page.get_log("performance"), page.get_log("browser")
    page.get(f"http://127.0.0.1:{server.port}/")
    wait(page, lambda: page.find_elements(By.TAG_NAME, "option"))
    choose(page, rooms)
    result(page)
    import json

    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    own = f"http://127.0.0.1:{server.port}/"
    assert asked and all(url.startswith((own, f"blob:{own[:-1]}", "data:")) for url in asked), asked
    assert not page.get_log("browser"), "errors in the console"
