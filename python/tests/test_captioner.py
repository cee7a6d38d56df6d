"""The package as a user has it, against captions that the native program made and against Pillow."""

import importlib.metadata
import io
import json
import math
import pathlib
import pickle
import subprocess
import sys
import threading
import time

import numpy
import pytest
import soli_captioner
from PIL import Image
from soli_captioner import Captioner, PictureError, WeightsError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "www" / "photos"
CAT = PHOTOS / "cat.jpg"


@pytest.fixture(scope="session")
def captioner():
    return Captioner.load()


def test_a_caption_is_the_same_whatever_shows_the_picture(captioner):
    png = Image.open(CAT).convert("RGB")
    encoded = io.BytesIO()
    png.save(encoded, "PNG")
    pictures = {
        "bytes": encoded.getvalue(),
        "memoryview": memoryview(encoded.getvalue()),
        "pillow": png,
        "numpy": numpy.asarray(png),
        "numpy, not contiguous": numpy.asarray(png)[:, ::-1][:, ::-1],
        "numpy, RGBA": numpy.asarray(png.convert("RGBA")),
        "pillow, RGBA": png.convert("RGBA"),
    }
    captions = {name: captioner.caption(picture) for name, picture in pictures.items()}
    first = captions["bytes"]
    assert set(first) == {"text", "kind", "score", "tokens", "confidence", "certainty", "words", "partial"}
    assert first["text"].split() == first["tokens"] and len(first["tokens"]) >= 3
    assert first["kind"] == "photograph" and first["certainty"] in ("likely", "unsure", "no")
    assert first["partial"] is False
    assert first["score"] <= 0 and 0 <= first["confidence"] <= 1
    assert "cat" in [word["word"] for word in first["words"]]
    likely = [word["probability"] for word in first["words"]]
    assert likely == sorted(likely, reverse=True) and all(0 <= value <= 1 for value in likely)
    for name, caption in captions.items():
        assert caption == first, name
    assert captioner.caption(CAT) == captioner.caption(str(CAT)) == captioner.caption(CAT.read_bytes())


def test_grey_pictures_of_all_kinds_are_the_same(captioner):
    grey = Image.open(CAT).convert("L")
    array = numpy.asarray(grey)
    first = captioner.caption(grey)
    deep = Image.fromarray(array.astype("uint16") * 257)
    for picture in (array, array[:, :, None], deep, grey.convert("RGB")):
        assert captioner.caption(picture) == first


def cut_off(kind):
    """A Pillow image whose file ends in the middle, which Pillow finds out when its pixels are asked for."""
    encoded = io.BytesIO()
    Image.open(CAT).convert("RGB").save(encoded, kind)
    return Image.open(io.BytesIO(encoded.getvalue()[: encoded.tell() // 2]))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16"])
def test_every_kind_of_pillow_image_is_taken(captioner, mode):
    if mode == "PA":
        picture = Image.open(CAT).convert("P").convert("PA")
    elif mode == "LAB":
        picture = Image.new("LAB", (30, 20), (128, 0, 0))
    else:
        steps = {"La": ["LA", "La"], "RGBa": ["RGBA", "RGBa"], "I;16": ["I", "I;16"]}.get(mode, [mode])
        picture = Image.open(CAT).convert("RGB")
        for step in steps:
            picture = picture.convert("L" if step in ("I",) else step).convert(step)
    assert picture.mode == mode
    assert captioner.caption(picture)["text"]


def test_the_orientation_is_applied(captioner):
    upright = Image.open(PHOTOS / "coffee.jpg").convert("RGB").resize((240, 160))
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = io.BytesIO()
    turned.save(encoded, "PNG", exif=exif)
    assert captioner.caption(Image.open(encoded)) == captioner.caption(upright)


def test_captions_are_those_of_the_program(captioner):
    stored = json.loads((ROOT / "tests" / "fixtures" / "native_captions.json").read_text())
    # The record's JPEGs went through another decoder, whose pixels differ a little.
    pixels = [entry for entry in stored if entry["picture"].endswith(".rgba")]
    assert pixels
    for entry in pixels:
        picture = numpy.frombuffer((ROOT / entry["picture"]).read_bytes(), "uint8").reshape(64, 96, 4)
        caption = captioner.caption(picture, beam=entry["beam"])
        assert (caption["text"], caption["tokens"]) == (entry["text"], entry["tokens"])
        assert caption["score"] == pytest.approx(entry["score"], abs=1e-3)


@pytest.mark.parametrize("path", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.stem)
def test_a_jpeg_is_described_as_pillow_decodes_it(captioner, path):
    ours, pillows = captioner.caption(path), captioner.caption(Image.open(path))
    assert ours["text"] == pillows["text"]
    assert ours["score"] == pytest.approx(pillows["score"], abs=0.02)


def test_what_is_no_photograph_is_named(captioner):
    blank = captioner.caption(Image.new("RGB", (300, 200), (90, 120, 200)))
    assert (blank["kind"], blank["text"], blank["words"]) == ("blank", "a blank picture or a pattern", [])
    assert blank["confidence"] == pytest.approx(math.exp(blank["score"]), abs=1e-5)


def test_people_have_neutral_words_unless_others_are_asked_for(captioner):
    picture = PHOTOS / "astronaut.jpg"
    gendered = {"man", "woman", "boy", "girl", "men", "women", "boys", "girls", "his", "her", "he", "she"}
    told = captioner.caption(picture)
    assert not gendered & set(told["tokens"]) and not gendered & {word["word"] for word in told["words"]}
    learned = captioner.caption(picture, neutral=False)
    assert gendered & {*learned["tokens"], *(word["word"] for word in learned["words"])}
    assert list(captioner.caption_all([picture, picture], neutral=False, threads=2)) == [learned, learned]


def test_a_file_that_is_cut_off_is_described_as_far_as_it_goes(captioner):
    data = CAT.read_bytes()
    assert captioner.caption(data[: len(data) * 4 // 5])["partial"] is True


def test_options_are_obeyed_and_checked(captioner):
    assert len(captioner.caption(CAT, beam=1, max_tokens=3)["tokens"]) <= 2
    assert captioner.caption(CAT, max_tokens=10**30) == captioner.caption(CAT)
    for wrong in ({"beam": 0}, {"beam": 9}, {"beam": -1}, {"beam": 10**30}, {"max_tokens": 1}, {"max_tokens": -1}):
        with pytest.raises(ValueError, match="must"):
            captioner.caption(CAT, **wrong)
        with pytest.raises(ValueError, match="must"):
            captioner.caption_all([CAT], **wrong)
    for wrong in ({"beam": 2.5}, {"max_tokens": "9"}, {"threads": 1.5}, {"neutral": 1}, {"neutral": None}):
        with pytest.raises(TypeError):
            captioner.caption_all([CAT], **wrong)
    with pytest.raises(TypeError, match="not iterable"):
        captioner.caption_all(7)
    with pytest.raises(ValueError, match="threads"):
        captioner.caption_all([CAT], threads=0)


@pytest.mark.parametrize(
    ("picture", "error", "said"),
    [
        (b"", PictureError, "empty"),
        (b"\xff\xd8\xff\xe0 nothing more", PictureError, "broken JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", PictureError, "SVG is not supported"),
        ("no/such/file.jpg", FileNotFoundError, "no/such/file.jpg"),
        (7, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        (numpy.zeros((4, 4, 2), "uint8"), TypeError, "(4, 4, 2)"),
        (numpy.zeros((4, 4, 3), "float32"), TypeError, "float32"),
        (numpy.zeros((0, 4, 3), "uint8"), PictureError, "at least 1"),
        (Image.new("F", (4, 4)), TypeError, "floats"),
        (Image.new("RGB", (0, 4)), PictureError, "at least 1"),
        (cut_off("JPEG"), PictureError, "Pillow cannot read"),
        (cut_off("PNG"), PictureError, "Pillow cannot read"),
        (cut_off("GIF"), PictureError, "Pillow cannot read"),
    ],
)
def test_what_cannot_be_captioned_says_why(captioner, picture, error, said):
    with pytest.raises(error) as raised:
        captioner.caption(picture)
    assert said in str(raised.value)
    (only,) = captioner.caption_all([picture])
    assert list(only) == ["error"] and said in only["error"]


def test_many_come_in_order_and_a_generator_is_not_run_ahead(captioner):
    sizes = [8, 200, 30, 100, 16, 64, 24]
    pictures = [Image.open(CAT).convert("RGB").resize((side, side)) for side in sizes]
    expected = [captioner.caption(picture) for picture in pictures]
    assert list(captioner.caption_all(pictures, threads=3)) == expected
    assert list(captioner.caption_all(pictures, threads=1)) == expected
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield pictures[0]

    captions = captioner.caption_all(endless(), threads=2)
    assert next(captions) == expected[0]
    assert len(taken) <= 4
    captions.close()


def test_the_gil_is_released(captioner):
    """While a picture is captioned in one thread, others go on."""
    # Large, so that one call takes many times as long as a thread that waits for the GIL is made to wait.
    picture = Image.open(CAT).convert("RGB").resize((2000, 2000)).tobytes()
    native, inside, stop = captioner._native, threading.Event(), threading.Event()

    def work():
        while not stop.is_set():
            inside.set()
            try:
                native.pixels(2000, 2000, 3, picture, 8, None, True)
            finally:
                inside.clear()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        # Were the GIL held, no other thread would find out that this one is inside, but just before and after it.
        longest = turns = 0
        for _ in range(100_000):
            turns = turns + 1 if inside.is_set() else 0
            longest = max(longest, turns)
            if longest > 20:
                break
            time.sleep(1e-4)
    finally:
        stop.set()
        thread.join()
    assert longest > 20


def test_it_can_be_sent_to_another_process(captioner, tmp_path):
    copy = pickle.loads(pickle.dumps(captioner))
    assert copy.caption(CAT) == captioner.caption(CAT)
    weights = ROOT / "www" / "models" / "soli.safetensors"
    for given in (weights, weights.read_bytes()):
        other = pickle.loads(pickle.dumps(Captioner.load(given)))
        assert other.caption(CAT) == captioner.caption(CAT)
    assert len(pickle.dumps(captioner)) < 1000


def test_wrong_weights_are_said_in_words(tmp_path):
    with pytest.raises(FileNotFoundError):
        Captioner.load(tmp_path / "none.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_text("<html>404</html>")
    with pytest.raises(WeightsError, match="web page"):
        Captioner.load(broken)


def test_it_needs_neither_numpy_nor_pillow():
    script = f"""
import sys
sys.modules["numpy"] = sys.modules["PIL"] = None
from soli_captioner import Captioner
print(Captioner.load().caption({str(CAT)!r})["text"])
"""
    text = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert len(text.split()) >= 3


def test_types_are_there_for_checkers(tmp_path):
    script = tmp_path / "use.py"
    script.write_text(
        "from typing import Iterator\n"
        "from soli_captioner import Caption, Captioner\n"
        "captioner: Captioner = Captioner.load()\n"
        "one: Caption = captioner.caption('a.jpg', beam=1)\n"
        "many: Iterator[Caption] = captioner.caption_all(['a.jpg'], threads=2)\n"
        "wrong: int = captioner.caption('a.jpg')\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(script)],
        capture_output=True,
        text=True,
    )
    assert "Found 1 error" in run.stdout and "use.py:6" in run.stdout, run.stdout


def test_the_stub_says_what_the_module_has(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "soli_captioner._native"], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_it_is_what_was_installed():
    files = importlib.metadata.files("soli-captioner")
    names = [str(file) for file in files]
    for name in ("__init__.py", "_native.pyi", "py.typed"):
        assert f"soli_captioner/{name}" in names
    wheel = importlib.metadata.distribution("soli-captioner").read_text("WHEEL")
    assert "Tag: cp39-abi3-" in wheel
    (module,) = [file for file in files if "_native.abi3" in str(file) or str(file).endswith(".pyd")]
    assert module.locate().samefile(soli_captioner._native.__file__)
    assert soli_captioner.__version__ == importlib.metadata.version("soli-captioner")
