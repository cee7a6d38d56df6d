"""Writes tests/fixtures/degrade.json: what OpenCV makes of a small photograph, for trainer/tests/degrade.rs.

    pip install numpy opencv-python-headless
    python tests/reference/degrade.py

Bilinear is cv2.INTER_LINEAR (no anti-aliasing); a resize in n steps is n of them, each by (target / source) ** (1 / n)
and none below the target; the Gaussian has standard deviation 2 and a kernel of 13, cv2.BORDER_REFLECT_101. OpenCV
works in fixed point here, so one grey level is the agreement to expect of a single resize.
"""

import base64
import json
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 96, 64


def bilinear(picture, width, height):
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)


def in_steps(picture, width, height, steps):
    w, h = float(picture.shape[1]), float(picture.shape[0])
    fx, fy = (width / w) ** (1 / steps), (height / h) ** (1 / steps)
    for _ in range(steps):
        w, h = w * fx, h * fy
        picture = bilinear(picture, max(width, round(w)), max(height, round(h)))
    return picture


def main():
    rgba = np.fromfile(ROOT / "fixtures/cat_96x64.rgba", np.uint8).reshape(HEIGHT, WIDTH, 4)
    picture = np.ascontiguousarray(rgba[:, :, :3])
    cases = []

    def add(kind, result, **settings):
        height, width, _ = result.shape
        data = base64.b64encode(result.tobytes()).decode()
        cases.append({"kind": kind, "width": width, "height": height, "rgb": data, **settings})

    for width, height in [(48, 32), (40, 33), (25, 17), (7, 64), (1, 1), (130, 70)]:
        add("bilinear", bilinear(picture, width, height))
    for steps in [2, 5, 50]:
        add("steps", in_steps(picture, 25, 17, steps), steps=steps)
    add("gaussian", cv2.GaussianBlur(bilinear(picture, 48, 32), (13, 13), 2, borderType=cv2.BORDER_REFLECT_101))
    add("gaussian-of", bilinear(picture, 48, 32))
    out = ROOT / "fixtures/degrade.json"
    out.write_text(json.dumps({"opencv": cv2.__version__, "cases": cases}, indent=0) + "\n")


main()
