"""A sheet of pictures with what soli says of each, as one JPEG.

    python tests/reference/sheet.py --soli target/release/soli --out docs/sheet.jpg --px 224,50,25 PICTURE ...
    python tests/reference/sheet.py --soli target/release/soli --out docs/honesty.jpg --px 224 --columns 6 --tile 240x160 PICTURE ...

Each picture is shrunk to a square of each width first (anti-aliased, as `soli eval --px` does) and captioned by
`soli caption --json`. The words are those of the page: `sentence` and `about` in pkg/wording.js, asked with node. At several
widths each has its sentence; at one, the pictures are numbered, and kind and certainty stand below the sentence. What is on the
sheet is also printed, a line for each picture and width, to look through it. Needs Pillow.
"""

import argparse
import json
import pathlib
import re
import subprocess
import tempfile

from PIL import Image, ImageDraw, ImageFont

WORDING = pathlib.Path(__file__).resolve().parents[2] / "pkg" / "wording.js"
# Captions as JSON on standard input; for each what the page says of it.
ASK = """
const { about, sentence, wordsSeen } = await import(process.argv[1]);
let text = '';
for await (const chunk of process.stdin) text += chunk;
const told = JSON.parse(text).map((caption) => ({ sentence: sentence(caption), about: about(caption), seen: wordsSeen(caption) }));
console.log(JSON.stringify(told));
"""
GAP = 12


def captions(soli, files, weights):
    """What the captioner answers for each file; a failure is one of the whole sheet."""
    command = [soli, "caption", "--json"] + (["--weights", weights] if weights else []) + [str(f) for f in files]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    results = [json.loads(line) for line in output.splitlines()]
    if len(results) != len(files):
        raise SystemExit(f"{len(files)} pictures were given to soli, and {len(results)} answers came")
    for file, result in zip(files, results):
        if not isinstance(result.get("text"), str):
            raise SystemExit(f"{file.name}: {result.get('error', result)}")
    return results


def worded(results):
    """What the page says of each result."""
    command = ["node", "--input-type=module", "--eval", ASK, WORDING.as_uri()]
    told = json.loads(subprocess.run(command, input=json.dumps(results), check=True, stdout=subprocess.PIPE, text=True).stdout)
    for each in told:
        each["sentence"] = each["sentence"] or "(nothing)"
        each["seen"] = ", ".join(f"{seen['word']} {seen['probability']:.0%}" for seen in each["seen"])
    return told


def wrapped(text, font, width, most):
    """The lines of a text that is not wider than `width` pixels; what is more than `most` lines ends in an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if len(lines) <= most else lines[: most - 1] + [lines[most - 1] + " …"]


def below(number, told, widths, font, small, width):
    """What stands under a picture: lines, each with its font and colour."""
    lines = []
    if len(widths) == 1:
        lines += [(line, font, "black") for line in wrapped(f"{number}. {told[0]['sentence']}", font, width, 4)]
        lines += [(line, small, "#8a3b12") for line in wrapped(told[0]["about"], small, width, 2)]
    else:
        for px, each in zip(widths, told):
            share = re.search(r"\d+ %", each["about"]).group().replace(" ", "")
            lines += [(line, font, "black") for line in wrapped(f"{px} px: {each['sentence']} ({share})", font, width, 3)]
    if told[0]["seen"]:
        lines += [(line, small, "#555555") for line in wrapped(f"sees: {told[0]['seen']}", small, width, 2)]
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soli", default="target/release/soli")
    parser.add_argument("--weights")
    parser.add_argument("--px", default="224,50,25")
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--tile", default="300x200", help="the most that a picture takes on the sheet, WIDTHxHEIGHT")
    parser.add_argument("--out", required=True)
    parser.add_argument("pictures", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    widths = [int(px) for px in args.px.split(",")]
    wide, high = (int(side) for side in args.tile.split("x"))
    font, small = ImageFont.load_default(size=13), ImageFont.load_default(size=11)

    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i, picture in enumerate(args.pictures):
            image = opened(picture)
            for px in widths:
                file = pathlib.Path(folder) / f"{i + 1}-{px}.png"
                image.resize((px, px), Image.BILINEAR).save(file)
                files.append(file)
        results = captions(args.soli, files, args.weights)
    told = worded(results)

    tiles = []
    for i, picture in enumerate(args.pictures):
        mine = told[i * len(widths):(i + 1) * len(widths)]
        for px, each in zip(widths, mine):
            print(i + 1, picture.name, px, each["about"], each["sentence"], sep="\t")
        tiles.append((picture, below(i + 1, mine, widths, font, small, wide)))
    rows = [tiles[i:i + args.columns] for i in range(0, len(tiles), args.columns)]
    line_height = {font: 16, small: 14}
    # As high as the one of the row that has most to say.
    text_heights = [max(sum(line_height[each] for _, each, _ in lines) for _, lines in row) for row in rows]
    height = sum(high + 4 + text + GAP for text in text_heights) + GAP
    sheet = Image.new("RGB", (args.columns * (wide + GAP) + GAP, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, text_height in zip(rows, text_heights):
        for column, (picture, lines) in enumerate(row):
            x, y = GAP + column * (wide + GAP), top
            image = opened(picture)
            image.thumbnail((wide, high))
            # White pages would have no edge.
            draw.rectangle((x - 1, y - 1, x + image.width, y + image.height), outline="#d5cfc3")
            sheet.paste(image, (x, y))
            y += high + 4
            for line, each, colour in lines:
                draw.text((x, y), line, fill=colour, font=each)
                y += line_height[each]
        top += high + 4 + text_height + GAP
    sheet.save(args.out, quality=72, optimize=True)


def opened(picture):
    """A picture over white, as the captioner sees it."""
    image = Image.open(picture).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


if __name__ == "__main__":
    main()
