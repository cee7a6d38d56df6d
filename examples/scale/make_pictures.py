"""Makes a Parquet table of pictures to try the examples on: crops of the bundled photographs, `id` and `bytes`.

    python make_pictures.py pictures --count 10000
"""

import argparse
import io
import itertools
import pathlib
import random

import pyarrow
import pyarrow.parquet
from PIL import Image

PHOTOS = pathlib.Path(__file__).resolve().parents[2] / "www" / "photos"
SCHEMA = pyarrow.schema([("id", pyarrow.string()), ("bytes", pyarrow.binary())])


def pictures(count, seed=1):
    """Yields (id, bytes of a JPEG file of 500 x 375 pixels, as photographs on the web have)."""
    draw = random.Random(seed)
    photos = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    for number in range(count):
        photo = draw.choice(photos)
        side = draw.uniform(0.4, 1)
        width, height = int(photo.width * side), int(photo.height * side)
        left, top = draw.randint(0, photo.width - width), draw.randint(0, photo.height - height)
        crop = photo.resize((500, 375), box=(left, top, left + width, top + height))
        encoded = io.BytesIO()
        crop.save(encoded, "JPEG", quality=85)
        yield f"{number:08}", encoded.getvalue()


def write(folder, count, files):
    """Writes `count` pictures into `files` Parquet files, which are what the engines hand out as tasks."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    rows = ({"id": name, "bytes": data} for name, data in pictures(count))
    size = -(-count // files)
    for number in range(files):
        # One file's pictures in memory at a time.
        table = pyarrow.Table.from_pylist(list(itertools.islice(rows, size)), SCHEMA)
        pyarrow.parquet.write_table(table, folder / f"{number:05}.parquet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=40)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.count, arguments.files)
