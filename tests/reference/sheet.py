"""A sheet of pictures with what soli says of each at several widths, as one JPEG.

    python tests/reference/sheet.py --soli target/release/soli --out docs/sheet.jpg --px 224,50,25 PICTURE ...

Each picture is shrunk to a square of each width first (anti-aliased, as `soli eval --px` does) and captioned by
`soli caption --json`. Needs Pillow.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import textwrap

from PIL import Image, ImageDraw, ImageFont


def captions(soli, files, weights):
    command = [soli, "caption", "--json"] + (["--weights", weights] if weights else []) + [str(f) for f in files]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def said(result):
    """As `sentence` in pkg/wording.js words it, but for articles."""
    text, sure, kind = result["text"], result["confidence"], result.get("kind")
    told = text[:1].upper() + text[1:] + "."
    if sure is None:
        return told
    if kind in ("text", "chart", "interface", "blank"):
        told = f"Looks like {text}."
    elif sure < 0.25:
        words = [word["word"] for word in result["words"] if word["probability"] >= 0.25][:6]
        told = ("A drawing, perhaps: " if kind == "drawing" else "Perhaps: ") + ", ".join(words) + "." if words else "(nothing)"
    elif sure < 0.5 and kind != "drawing":
        told = f"May show: {text}."
    return f"{told} ({sure:.0%})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soli", default="target/release/soli")
    parser.add_argument("--weights")
    parser.add_argument("--px", default="224,50,25")
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--out", required=True)
    parser.add_argument("pictures", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    widths = [int(px) for px in args.px.split(",")]
    font = ImageFont.load_default(size=13)
    small = ImageFont.load_default(size=11)
    wide, high, text_high = 300, 200, 34 * len(widths) + 36
    rows = -(-len(args.pictures) // args.columns)
    sheet = Image.new("RGB", (args.columns * (wide + 12) + 12, rows * (high + text_high + 16) + 12), "white")
    draw = ImageDraw.Draw(sheet)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, picture in enumerate(args.pictures):
            image = Image.open(picture).convert("RGB")
            for px in widths:
                file = pathlib.Path(folder) / f"{i}-{px}.png"
                image.resize((px, px), Image.BILINEAR).save(file)
                files.append(file)
        results = captions(args.soli, files, args.weights)
    for i, picture in enumerate(args.pictures):
        x = 12 + i % args.columns * (wide + 12)
        y = 12 + i // args.columns * (high + text_high + 16)
        image = Image.open(picture).convert("RGB")
        image.thumbnail((wide, high))
        sheet.paste(image, (x, y))
        y += high + 4
        mine = results[i * len(widths):(i + 1) * len(widths)]
        for px, result in zip(widths, mine):
            lines = textwrap.wrap(f"{px} px: {said(result)}", 46)[:2]
            draw.text((x, y), "\n".join(lines), fill="black", font=font)
            y += 34
        seen = ", ".join(f"{w['word']} {w['probability']:.0%}" for w in mine[0]["words"][:6])
        draw.text((x, y), "\n".join(textwrap.wrap(f"sees: {seen}", 54)[:2]), fill="#555555", font=small)
    sheet.save(args.out, quality=72, optimize=True)


if __name__ == "__main__":
    main()
