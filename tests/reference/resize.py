"""Writes tests/fixtures/resize.json: what Pillow and OpenCV make of rendered pictures, for tests/image.rs.

    pip install pillow numpy opencv-python-headless
    python tests/reference/resize.py

Pillow's BILINEAR is the triangle filter that soli uses. OpenCV's INTER_AREA is a box filter: it agrees on smooth
pictures only. Transparency is put over white in floating point and rounded, before the resampling.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image

SIDE = 16
CASES = [  # pattern, width, height
    ("rough", 16, 16),
    ("rough", 97, 61),
    ("rough", 640, 480),
    ("rough", 7, 23),
    ("rough", 1, 50),
    ("rough", 1500, 2),
    ("clear", 90, 120),
    ("smooth", 160, 320),
    ("smooth", 3, 400),
]


def render(pattern, width, height):
    """RGBA; tests/image.rs computes the same pixels."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    if pattern == "smooth":
        channels = [x * 255 // width, y * 255 // height, (x * height + y * width) * 127 // (width * height)]
    else:
        channels = [(x * x * 7 + y * 13 + x * y * (c + 1) + c * 71) % 256 for c in range(3)]
    alpha = (x * 3 + y * y) % 256 if pattern == "clear" else np.full_like(x, 255)
    return np.stack([*channels, alpha], axis=-1).astype(np.uint8)


def main():
    cases = []
    for pattern, width, height in CASES:
        rgba = render(pattern, width, height).astype(np.float64)
        alpha = rgba[..., 3:] / 255
        rgb = np.floor(rgba[..., :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
        pillow = np.asarray(Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        case = {"pattern": pattern, "width": width, "height": height, "pillow": pillow.tobytes().hex()}
        if pattern == "smooth" and width > SIDE:
            area = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            case["opencv_area"] = area.tobytes().hex()
        cases.append(case)
    note = f"tests/reference/resize.py with Pillow {PIL.__version__}, OpenCV {cv2.__version__}"
    out = Path(__file__).parents[1] / "fixtures" / "resize.json"
    body = ",\n".join(json.dumps(case) for case in cases)
    out.write_text(f'{{"made_by": "{note}", "side": {SIDE}, "cases": [\n{body}\n]}}\n')


if __name__ == "__main__":
    main()
