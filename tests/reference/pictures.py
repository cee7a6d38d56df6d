"""The sixty pictures of docs/honesty.jpg and the twelve of docs/sheet.jpg, which are of no data set.

    pip download --no-deps -d wheels scikit-image==0.26.0 scikit-learn==1.9.1 matplotlib==3.11.2 mahotas==1.4.19 gradio==6.31.0
    python tests/reference/pictures.py wheels runs/pictures       # runs/pictures/sixty/*.png, runs/pictures/twelve/*.png

Photographs and a few drawings are those that the packages bring along; charts, pages and signs are drawn here, always the same.
Screenshots are docs/page.jpg and docs/extension.jpg. Needs Pillow, numpy and matplotlib.
"""

import argparse
import io
import pathlib
import zipfile

import matplotlib
import numpy
from PIL import Image, ImageDraw, ImageFont

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIMAGE, SKLEARN, MATPLOTLIB = "skimage/data/", "sklearn/datasets/images/", "matplotlib/mpl-data/"
GRADIO, MAHOTAS = "gradio/media_assets/images/", "mahotas/demos/data/"
PHOTOGRAPHS = [
    SKIMAGE + name
    for name in (
        "astronaut.png camera.png chelsea.png coffee.png motorcycle_left.png rocket.jpg clock_motion.png coins.png grass.png "
        "gravel.png brick.png moon.png hubble_deep_field.jpg retina.jpg ihc.png cell.png"
    ).split()
]
PHOTOGRAPHS += [SKLEARN + "china.jpg", SKLEARN + "flower.jpg", MATPLOTLIB + "sample_data/grace_hopper.jpg"]
PHOTOGRAPHS += [SKIMAGE + "microaneurysms.png", MAHOTAS + "luispedro.jpg", MAHOTAS + "nuclear.png"]
PHOTOGRAPHS += [GRADIO + name for name in ("cheetah.jpg", "cheetah1.jpg", "lion.jpg", "tower.jpg")]
PHOTOGRAPHS += [SKIMAGE + "motorcycle_right.png"]
OTHERS = [SKIMAGE + name for name in "page.png text.png horse.png phantom.png chessboard_RGB.png color.png logo.png".split()]
OTHERS += [MATPLOTLIB + "images/matplotlib_large.png", MATPLOTLIB + "sample_data/Minduka_Present_Blue_Pack.png"]
OTHERS += [GRADIO + "screenshot.gif", GRADIO + "bus.png"]
TWELVE = "china flower astronaut rocket chelsea coffee camera motorcycle_left grace_hopper page color chessboard_RGB".split()


def chart(draw, projection=None):
    """What `draw` draws on axes, as a picture."""
    figure = pyplot.figure(figsize=(4.8, 3.6), dpi=100)
    draw(figure.add_subplot(projection=projection))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot.close(figure)
    return Image.open(buffer).convert("RGB")


def charts():
    rng = numpy.random.default_rng(1)
    x = numpy.linspace(0, 10, 200)

    def signals(axes):
        axes.plot(x, numpy.sin(x), x, 0.6 * numpy.cos(x))
        axes.set_title("Two signals")
        axes.legend(["a", "b"])

    grid = numpy.meshgrid(numpy.linspace(-2, 2, 40), numpy.linspace(-2, 2, 40))
    hill = numpy.exp(-(grid[0] ** 2) - grid[1] ** 2)
    points = rng.normal(size=(2, 150))
    return {
        "chart-lines": chart(signals),
        "chart-bars": chart(lambda axes: axes.bar(list("ABCDEF"), [5, 8, 7, 2, 3, 9])),
        "chart-pie": chart(lambda axes: axes.pie([30, 25, 20, 25], labels=["North", "East", "South", "West"], autopct="%d%%")),
        "chart-scatter": chart(lambda axes: axes.scatter(points[0], points[1], c=points[0])),
        "chart-heat": chart(lambda axes: axes.imshow(rng.random((12, 12)))),
        "chart-surface": chart(lambda axes: axes.plot_surface(*grid, hill, cmap="viridis"), "3d"),
    }


def font(size, mono=False):
    name = "DejaVuSansMono.ttf" if mono else "DejaVuSans.ttf"
    return ImageFont.truetype(pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def written(text, size, paper, ink, letters=14, mono=False, margin=24):
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).multiline_text((margin, margin), text, fill=ink, font=font(letters, mono), spacing=letters // 2)
    return picture


def pages():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = "\n".join(line[:72] for line in readme.splitlines() if line)[:1600]
    code = "\n".join((ROOT / "src" / "search.rs").read_text(encoding="utf-8").splitlines()[10:45])
    receipt = "   CORNER SHOP\n 12 High Street\n\nMilk        1.20\nBread       2.35\nApples 1kg  3.10\nCoffee      6.49\n----------------\nTOTAL      13.14\nCASH       20.00\nCHANGE      6.86\n\n   THANK YOU"
    rights = "Все люди рождаются свободными и\nравными в своём достоинстве и правах.\nОни наделены разумом и совестью и\nдолжны поступать в отношении друг\nдруга в духе братства."
    return {
        "page-text": written(text, (620, 560), "white", "black", 13),
        "page-code": written(code, (560, 520), "#1d2030", "#c8d0e8", 11, mono=True),
        "page-receipt": written(receipt, (260, 360), "#fbfaf4", "#222", 15, mono=True),
        "page-russian": written(rights, (460, 240), "white", "black", 19),
        "sign": written("CLOSED\nFOR\nREPAIR", (320, 300), "#c1121f", "white", 58),
    }


def street_map():
    picture = Image.new("RGB", (420, 320), "#eef0ea")
    draw = ImageDraw.Draw(picture)
    draw.polygon([(0, 250), (140, 215), (300, 262), (420, 225), (420, 320), (0, 320)], fill="#a9d3e8")
    for at in range(20, 420, 70):
        draw.line([(at, 0), (at - 30, 320)], fill="white", width=9)
    for at in range(30, 240, 55):
        draw.line([(0, at), (420, at + 24)], fill="white", width=9)
    draw.line([(0, 120), (420, 60)], fill="#f6c453", width=13)
    draw.rectangle([(190, 46), (258, 92)], fill="#cfe8c6")
    draw.text((206, 62), "Park", fill="#345", font=font(15))
    return picture


def floor_plan():
    picture = Image.new("RGB", (420, 320), "white")
    draw = ImageDraw.Draw(picture)
    for box in [(30, 30, 390, 290), (30, 30, 200, 160), (200, 30, 390, 190)]:
        draw.rectangle(box, outline="black", width=5)
    draw.arc((170, 160, 230, 220), 90, 180, fill="black", width=3)
    draw.text((70, 80), "Bedroom", fill="black", font=font(18))
    draw.text((255, 95), "Kitchen", fill="black", font=font(18))
    return picture


def house():
    picture = Image.new("RGB", (360, 300), "#8ecae6")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 220, 360, 300), fill="#70ad47")
    draw.ellipse((280, 25, 335, 80), fill="#ffd24a")
    draw.rectangle((110, 130, 250, 240), fill="#f4d35e")
    draw.polygon([(90, 130), (180, 60), (270, 130)], fill="#b5403a")
    draw.rectangle((165, 180, 200, 240), fill="#5b3a29")
    return picture


def face():
    picture = Image.new("RGB", (300, 300), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((30, 30, 270, 270), fill="#ffd54a", outline="black", width=5)
    for x in (105, 175):
        draw.ellipse((x, 100, x + 22, 140), fill="black")
    draw.arc((85, 110, 215, 220), 20, 160, fill="black", width=6)
    return picture


def drawn():
    rng = numpy.random.default_rng(2)
    code = numpy.kron(rng.integers(0, 2, (25, 25)), numpy.ones((12, 12))) * 255
    ramp = numpy.tile(numpy.linspace(0, 255, 320), (240, 1))
    grey = lambda values: Image.fromarray(values.astype("uint8")).convert("RGB")  # noqa: E731
    return {
        "map": street_map(),
        "plan": floor_plan(),
        "code": grey(code),
        "house": house(),
        "face": face(),
        "noise": Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype="uint8")),
        "gradient": grey(ramp),
    }


def meme(photograph):
    picture = photograph.copy()
    draw = ImageDraw.Draw(picture)
    for text, at in (("MONDAY AGAIN", 0.1), ("NO THANKS", 0.88)):
        centre = (picture.width / 2, picture.height * at)
        draw.text(centre, text, fill="white", font=font(40), anchor="mm", stroke_width=3, stroke_fill="black")
    return picture


def packaged(wheels):
    """The packages' pictures by their names, over white."""
    found = {}
    for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for path in set(archive.namelist()) & set(PHOTOGRAPHS + OTHERS):
                picture = Image.open(io.BytesIO(archive.read(path)))
                if picture.mode.startswith("I") or picture.mode == "F":
                    values = numpy.asarray(picture, dtype="float64")
                    picture = Image.fromarray((255 * values / max(values.max(), 1)).astype("uint8"))
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                found[path] = Image.alpha_composite(white, picture).convert("RGB")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", help="folder of the packages' wheels")
    parser.add_argument("out", type=pathlib.Path)
    args = parser.parse_args()
    found = packaged(args.wheels)
    if missing := [path for path in PHOTOGRAPHS + OTHERS if path not in found]:
        parser.error(f"no wheel in {args.wheels} has {', '.join(missing)}")
    named = [(pathlib.Path(path).stem, found[path]) for path in PHOTOGRAPHS + OTHERS]
    named += [*charts().items(), *pages().items(), *drawn().items()]
    named += [(name, Image.open(ROOT / "docs" / f"{name}.jpg").convert("RGB")) for name in ("page", "extension")]
    pictures = dict(named[: len(PHOTOGRAPHS)])
    named += [("meme", meme(pictures["chelsea"])), ("china-grey", pictures["china"].convert("L").convert("RGB"))]
    for folder in ("sixty", "twelve"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    for number, (name, picture) in enumerate(named, 1):
        picture.thumbnail((800, 800))
        picture.save(args.out / "sixty" / f"{number:02}-{name}.png")
    first = dict(reversed(named))
    for number, name in enumerate(TWELVE, 1):
        first[name].save(args.out / "twelve" / f"{number:02}-{name}.png")
    print(f"{len(named)} pictures in {args.out}")


if __name__ == "__main__":
    main()
