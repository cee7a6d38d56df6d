#!/usr/bin/env python3
"""Makes the matrix of small picture files that trainer/tests/decode.rs reads.

    python3 tests/reference/decode.py trainer/tests/decode && node tests/reference/decode.mjs trainer/tests/decode

Needs Pillow and, for what Pillow cannot write, cjpeg and jpegtran of libjpeg-turbo. The second script opens each file in
Chromium and puts the pixels beside it; this one, run with --compare afterwards, shows where Pillow's pixels differ. With --digests it prints a digest of Pillow's
pixels of each photograph of a folder.
"""

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageDraw

OUT = Path(sys.argv[1])


def picture(width=45, height=37):
    """Colour gradients with a few sharp edges: chroma that moves shows every error of upsampling."""
    image = Image.new("RGB", (width, height))
    image.putdata([
        ((x * 255) // max(width - 1, 1), (y * 255) // max(height - 1, 1), (255 - (x + y) * 255 // max(width + height - 2, 1)))
        for y in range(height) for x in range(width)
    ])
    if width < 20 or height < 20:
        return image
    draw = ImageDraw.Draw(image)
    draw.rectangle([width // 6, height // 6, width // 3, height // 2], fill=(230, 30, 40))
    draw.ellipse([width // 2, height // 3, width - 4, height - 5], fill=(20, 200, 60))
    draw.line([0, height - 1, width - 1, 0], fill=(255, 255, 255), width=2)
    return image


def save(name, data):
    (OUT / name).write_bytes(data)


def ppm(image):
    out = io.BytesIO()
    image.save(out, "PPM")
    return out.getvalue()


def run(program, options, data, scans=None):
    if scans:
        script = OUT / "scans.tmp"
        script.write_text(scans)
        options = [*options, "-scans", str(script)]
    result = subprocess.run([program, *options], input=data, stdout=subprocess.PIPE, check=True).stdout
    if scans:
        script.unlink()
    return result


def pillow(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- JPEG -----------------------------------------------------------------------------------------------------------

NOT_INTERLEAVED = "0;\n1;\n2;\n"
SAMPLINGS = [
    "1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x4", "3x1", "3x2", "1x3",
    "1x1,2x2,2x2", "1x1,1x1,2x2", "2x2,1x1,2x2", "2x2,2x1,1x2", "1x2,2x1,1x1", "2x1,1x1,2x1", "1x1,2x1,2x1", "2x2,2x1,2x1",
]
HALF = "0 1 2: 0-0, 0, 1;\n0: 1-63, 0, 0;\n"


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def after_start(jpeg, *segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def without(jpeg, *markers):
    """The JPEG without its segments of these markers (before the first scan)."""
    at, kept = 2, [jpeg[:2]]
    while jpeg[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        if jpeg[at + 1] not in markers:
            kept.append(jpeg[at:at + length])
        at += length
    return b"".join([*kept, jpeg[at:]])


def component_ids(jpeg, ids):
    """The JPEG with other names for its components, in its frame and its scans."""
    data = bytearray(jpeg)
    at, old = 2, {}
    while at + 1 < len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0, 0xFF) or 0xD0 <= marker <= 0xD9:
            at += 1
            continue
        if marker in (0xC0, 0xC1, 0xC2):
            for i, new in enumerate(ids):
                old[data[at + 10 + 3 * i]] = new
                data[at + 10 + 3 * i] = new
        if marker == 0xDA:
            for i in range(data[at + 4]):
                data[at + 5 + 2 * i] = old[data[at + 5 + 2 * i]]
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return bytes(data)


def exif(orientation):
    return b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0, 0, 0, 0, 0])


def jpegs():
    data = ppm(picture())
    for sampling in SAMPLINGS:
        name = "jpeg-" + sampling.replace(",", "_")
        options = ["-quality", "90", "-sample", sampling]
        save(f"{name}.jpg", run("cjpeg", options, data))
        save(f"{name}-scans.jpg", run("cjpeg", options, data, NOT_INTERLEAVED))
        save(f"{name}-progressive.jpg", run("cjpeg", [*options, "-progressive"], data))
    save("jpeg-pairs.jpg", run("cjpeg", ["-sample", "2x2"], data, "0;\n1 2;\n"))
    save("jpeg-backwards.jpg", run("cjpeg", ["-sample", "2x1"], data, "2;\n1;\n0;\n"))
    save("jpeg-restarts.jpg", run("cjpeg", ["-sample", "2x2", "-restart", "1B"], data))
    save("jpeg-restarts-rows.jpg", run("cjpeg", ["-sample", "2x1", "-restart", "1"], data))
    save("jpeg-restarts-scans.jpg", run("cjpeg", ["-sample", "2x2", "-restart", "3B"], data, NOT_INTERLEAVED))
    save("jpeg-restarts-progressive.jpg", run("cjpeg", ["-progressive", "-restart", "2B"], data))
    save("jpeg-arithmetic.jpg", run("cjpeg", ["-arithmetic"], data))
    save("jpeg-arithmetic-progressive.jpg", run("cjpeg", ["-arithmetic", "-progressive", "-restart", "5B"], data))
    save("jpeg-optimised.jpg", run("cjpeg", ["-optimize", "-quality", "25"], data))
    save("jpeg-coarse.jpg", run("cjpeg", ["-quality", "3"], data))
    save("jpeg-finest.jpg", run("cjpeg", ["-quality", "100", "-sample", "1x1"], data))
    save("jpeg-coefficients-missing.jpg", run("cjpeg", ["-sample", "2x2"], data, HALF))
    # Colour models.
    save("jpeg-grey.jpg", run("cjpeg", ["-grayscale"], data))
    save("jpeg-grey-progressive.jpg", run("cjpeg", ["-grayscale", "-progressive"], data))
    save("jpeg-grey-2x2.jpg", run("cjpeg", ["-grayscale", "-sample", "2x2"], data))
    rgb = run("cjpeg", ["-rgb"], data)
    save("jpeg-rgb.jpg", rgb)
    save("jpeg-rgb-scans.jpg", run("cjpeg", ["-rgb"], data, NOT_INTERLEAVED))
    save("jpeg-rgb-progressive.jpg", run("cjpeg", ["-rgb", "-progressive"], data))
    plain = run("cjpeg", ["-sample", "2x1"], data)
    bare = without(plain, 0xE0)
    save("jpeg-no-jfif.jpg", bare)
    save("jpeg-no-jfif-ids-rgb.jpg", component_ids(without(rgb, 0xE0, 0xEE), b"RGB"))
    save("jpeg-jfif-ids-rgb.jpg", component_ids(plain, b"RGB"))
    save("jpeg-no-jfif-ids-0.jpg", component_ids(bare, b"\0\1\2"))
    save("jpeg-no-jfif-ids-odd.jpg", component_ids(bare, b"\x22\x23\x24"))
    adobe = lambda transform: segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
    save("jpeg-adobe-ycc.jpg", after_start(bare, adobe(1)))
    save("jpeg-adobe-rgb.jpg", after_start(without(rgb, 0xE0, 0xEE), adobe(0)))
    save("jpeg-adobe-rgb-and-jfif.jpg", after_start(without(rgb, 0xE0, 0xEE), plain[2:20], adobe(0)))
    save("jpeg-adobe-unknown.jpg", after_start(bare, adobe(7)))
    ink = picture().convert("CMYK")
    ink.putdata([(c, m, y, (c * 3 + m) % 160) for c, m, y, _ in ink.getdata()])
    cmyk = pillow(ink, "JPEG", quality=90)
    save("jpeg-cmyk.jpg", cmyk)
    save("jpeg-cmyk-progressive.jpg", run("jpegtran", ["-progressive"], cmyk))
    save("jpeg-cmyk-no-adobe.jpg", without(cmyk, 0xEE))
    # Adobe's YCCK: the (inverted) CMY part as YCbCr, K as it is.
    ycc = Image.merge("RGB", ink.split()[:3]).convert("YCbCr")
    # Pillow writes CMYK inverted; so do Adobe's programs with YCCK, of the complement.
    complement = Image.merge("RGB", [band.point(lambda v: 255 - v) for band in ink.split()[:3]]).convert("YCbCr")
    stored = [band.point(lambda v: 255 - v) for band in complement.split()] + [ink.split()[3]]
    ycck = pillow(Image.merge("CMYK", stored), "JPEG", quality=90)
    save("jpeg-ycck.jpg", after_start(without(ycck, 0xEE, 0xE0), adobe(2)))
    save("jpeg-ycck-progressive.jpg", run("jpegtran", ["-progressive", "-copy", "all"], after_start(without(ycck, 0xEE, 0xE0), adobe(2))))
    del ycc
    # Sizes around the blocks' borders.
    for width, height in [(1, 1), (7, 9), (8, 8), (9, 7), (16, 16), (17, 1), (1, 17), (33, 15), (2, 31)]:
        small = ppm(picture(width, height))
        save(f"jpeg-size-{width}x{height}.jpg", run("cjpeg", ["-sample", "2x2"], small))
        save(f"jpeg-size-{width}x{height}-progressive.jpg", run("cjpeg", ["-sample", "2x2", "-progressive"], small))
    # Ends and damage.
    progressive = run("cjpeg", ["-progressive"], data)
    save("jpeg-no-end.jpg", plain[:-2])
    save("jpeg-no-end-progressive.jpg", progressive[:-2])
    save("jpeg-half-end.jpg", plain[:-1])
    save("jpeg-trailer.jpg", plain + b"a camera's trailer \xff\xd8\xff")
    save("jpeg-fill-bytes.jpg", plain[:2] + b"\xff\xff\xff" + plain[2:])
    save("jpeg-stray-before-end.jpg", plain[:-2] + b"\0\0\0" + plain[-2:])
    broken = bytearray(run("cjpeg", ["-sample", "2x2", "-restart", "2B"], data))
    broken[len(broken) * 3 // 4] ^= 0x5A
    save("jpeg-damaged.jpg", bytes(broken))
    broken = bytearray(plain)
    broken[len(broken) * 3 // 4] ^= 0x5A
    save("jpeg-damaged-no-restarts.jpg", bytes(broken))
    for orientation in range(1, 9):
        save(f"jpeg-exif-{orientation}.jpg", after_start(plain, segment(0xE1, b"Exif\0\0" + exif(orientation))))
    save("jpeg-exif-after-frame.jpg", late_exif(plain))
    twelve = bytearray(plain)
    twelve[plain.index(b"\xff\xc0") + 4] = 12
    save("refused-jpeg-12-bit.jpg", bytes(twelve))
    lossless = bytearray(plain)
    lossless[plain.index(b"\xff\xc0") + 1] = 0xC3
    save("refused-jpeg-lossless.jpg", bytes(lossless))


def late_exif(jpeg):
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + segment(0xE1, b"Exif\0\0" + exif(6)) + jpeg[at:]


# --- PNG ------------------------------------------------------------------------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour, sample, extra=b"", interlaced=False):
    """A PNG whose pixel (x, y) has the channels sample(x, y), each of `depth` bits; `extra` chunks come before the data."""
    def row(xs, y):
        bits = "".join(format(v, f"0{depth}b") for x in xs for v in sample(x, y))
        bits += "0" * (-len(bits) % 8)
        return b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    if interlaced:
        passes = [(range(x, width, dx), range(y, height, dy)) for x, y, dx, dy in ADAM7]
    else:
        passes = [(range(width), range(height))]
    raw = b"".join(row(xs, y) for xs, ys in passes if len(xs) for y in ys)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return SIGNATURE + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def pngs():
    image = picture(23, 19)
    rgb = lambda x, y: image.getpixel((x, y))
    grey = lambda x, y: sum(rgb(x, y)) // 3
    deep = lambda v, x, y: (v * 257 + 91 * x + 57 * y) % 65536
    alpha = lambda x, y: (x * 11 + y * 7) % 256
    for interlaced in [False, True]:
        end = "-interlaced.png" if interlaced else ".png"
        def make(name, depth, colour, sample, extra=b"", interlaced=interlaced, end=end):
            save(f"png-{name}{end}", png(23, 19, depth, colour, sample, extra, interlaced))
        for depth in [1, 2, 4, 8]:
            make(f"grey-{depth}", depth, 0, lambda x, y: [grey(x, y) >> (8 - depth)])
            palette = chunk(b"PLTE", bytes(v for i in range(2 ** depth) for v in ((i * 37) % 256, (i * 91) % 256, 255 - (i * 53) % 256)))
            index = lambda x, y: [(x * 3 + y * 5 + x * y) % 2 ** depth]
            make(f"palette-{depth}", depth, 3, index, palette)
            make(f"palette-{depth}-clear", depth, 3, index, palette + chunk(b"tRNS", bytes([0, 128, 200][:2 ** depth])))
        make("grey-16", 16, 0, lambda x, y: [deep(grey(x, y), x, y)])
        make("rgb-8", 8, 2, rgb)
        make("rgb-16", 16, 2, lambda x, y: [deep(v, x, y) for v in rgb(x, y)])
        make("grey-alpha-8", 8, 4, lambda x, y: [grey(x, y), alpha(x, y)])
        make("grey-alpha-16", 16, 4, lambda x, y: [deep(grey(x, y), x, y), deep(alpha(x, y), y, x)])
        make("rgba-8", 8, 6, lambda x, y: [*rgb(x, y), alpha(x, y)])
        make("rgba-16", 16, 6, lambda x, y: [*(deep(v, x, y) for v in rgb(x, y)), deep(alpha(x, y), y, x)])
        key = image.getpixel((5, 9))
        make("rgb-8-key", 8, 2, rgb, chunk(b"tRNS", struct.pack(">HHH", *key)))
        make("grey-8-key", 8, 0, lambda x, y: [grey(x, y)], chunk(b"tRNS", struct.pack(">H", grey(5, 9))))
        make("grey-2-key", 2, 0, lambda x, y: [grey(x, y) >> 6], chunk(b"tRNS", struct.pack(">H", 1)))
        make("rgb-16-key", 16, 2, lambda x, y: [v * 257 for v in rgb(x, y)], chunk(b"tRNS", struct.pack(">HHH", *(v * 257 for v in key))))
    make = lambda name, extra: save(f"png-{name}.png", png(23, 19, 8, 2, rgb, extra))
    make("exif-6", chunk(b"eXIf", exif(6)))
    make("exif-3", chunk(b"eXIf", exif(3)))
    make("srgb-chunk", chunk(b"sRGB", b"\0"))
    make("gamma-1", chunk(b"gAMA", struct.pack(">I", 100_000)))
    make("gamma-srgb", chunk(b"gAMA", struct.pack(">I", 45_455)))
    srgb = [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000]
    wide = [31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000]
    make("chromaticities-srgb", chunk(b"gAMA", struct.pack(">I", 45_455)) + chunk(b"cHRM", struct.pack(">8I", *srgb)))
    make("chromaticities-wide", chunk(b"gAMA", struct.pack(">I", 45_455)) + chunk(b"cHRM", struct.pack(">8I", *wide)))
    make("cicp-p3", chunk(b"cICP", bytes([12, 13, 0, 1])))
    save("png-one.png", png(1, 1, 8, 2, rgb))
    save("png-one-interlaced.png", png(1, 1, 8, 2, rgb, interlaced=True))
    whole = png(23, 19, 8, 2, rgb)
    save("png-no-end.png", whole[:-12])
    save("png-trailer.png", whole + b"more")


# --- GIF, WebP, BMP ---------------------------------------------------------------------------------------------------

def screen(gif, width, height):
    return gif[:6] + struct.pack("<HH", width, height) + gif[10:]


def offset(gif, left, top):
    """The GIF with its first frame moved."""
    at = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    while gif[at] == 0x21:
        at += 2
        while gif[at]:
            at += 1 + gif[at]
        at += 1
    assert gif[at] == 0x2C
    return gif[:at + 1] + struct.pack("<HH", left, top) + gif[at + 5:]


def gifs():
    image = picture(30, 22).quantize(31, dither=Image.Dither.NONE)
    plain = pillow(image, "GIF", interlace=0)
    save("gif-plain.gif", plain)
    save("gif-interlaced.gif", pillow(image, "GIF", interlace=1))
    save("gif-clear.gif", pillow(image, "GIF", transparency=3, interlace=0))
    save("gif-two-colours.gif", pillow(picture(30, 22).convert("1"), "GIF"))
    save("gif-256-colours.gif", pillow(picture(60, 44).quantize(256, dither=Image.Dither.NONE), "GIF"))
    for name, width, height in [("zero", 0, 0), ("zero-width", 0, 22), ("small", 15, 11), ("narrow", 15, 40), ("low", 50, 11), ("large", 50, 40)]:
        save(f"gif-screen-{name}.gif", screen(plain, width, height))
    save("gif-screen-over-edge.gif", offset(plain, 8, 6))
    save("gif-screen-inside.gif", offset(screen(plain, 50, 40), 8, 6))
    save("gif-screen-outside.gif", offset(screen(plain, 20, 20), 25, 25))
    save("gif-screen-small-offset.gif", offset(screen(plain, 10, 10), 4, 3))
    interlaced = pillow(image, "GIF", interlace=1)
    save("gif-interlaced-screen-small.gif", screen(interlaced, 15, 11))
    save("gif-interlaced-screen-inside.gif", offset(screen(interlaced, 50, 40), 8, 6))
    save("gif-interlaced-clear.gif", pillow(image, "GIF", transparency=3, interlace=1))
    save("gif-87a.gif", b"GIF87a" + plain[6:])
    red, blue = Image.new("RGB", (20, 14), (220, 20, 20)), Image.new("RGB", (20, 14), (20, 20, 220))
    save("gif-animated.gif", pillow(red, "GIF", save_all=True, append_images=[blue], duration=500))
    save("gif-no-end.gif", plain[:-1])


def riff(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunks(webp):
    at = 12
    while at < len(webp):
        size = struct.unpack("<I", webp[at + 4:at + 8])[0]
        yield webp[at:at + 4], webp[at + 8:at + 8 + size]
        at += 8 + size + size % 2


def u24(value):
    return struct.pack("<I", value)[:3]


def webps():
    image = picture()
    clear = image.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(image.size))
    lossy = pillow(image, "WEBP", quality=80)
    save("webp-lossy.webp", lossy)
    save("webp-lossy-coarse.webp", pillow(image, "WEBP", quality=5))
    save("webp-lossless.webp", pillow(image, "WEBP", lossless=True))
    save("webp-lossy-alpha.webp", pillow(clear, "WEBP", quality=80))
    save("webp-lossless-alpha.webp", pillow(clear, "WEBP", lossless=True))
    for orientation in [3, 6]:
        save(f"webp-exif-{orientation}.webp", pillow(image, "WEBP", quality=80, exif=b"Exif\0\0" + exif(orientation)))
    red, blue = Image.new("RGB", (20, 14), (220, 20, 20)), Image.new("RGB", (20, 14), (20, 20, 220))
    save("webp-animated.webp", pillow(red, "WEBP", save_all=True, append_images=[blue], duration=500))
    # An animation whose first frame covers a part of its canvas.
    still = [c for c in webp_chunks(lossy) if c[0] == b"VP8 "]
    frame = u24(4) + u24(3) + u24(44) + u24(36) + u24(500) + b"\2" + riff(*still)[12:]
    save("webp-animated-part.webp", riff(
        (b"VP8X", bytes([2, 0, 0, 0]) + u24(63) + u24(47)), (b"ANIM", bytes([10, 200, 30, 255, 0, 0])), (b"ANMF", frame), (b"ANMF", frame)))
    for width, height in [(1, 1), (17, 1), (16, 33)]:
        save(f"webp-size-{width}x{height}.webp", pillow(picture(width, height), "WEBP", quality=80))


def bmps():
    image = picture(21, 13)
    save("bmp-24.bmp", pillow(image, "BMP"))
    save("bmp-8.bmp", pillow(image.quantize(60, dither=Image.Dither.NONE), "BMP"))
    save("bmp-1.bmp", pillow(image.convert("1"), "BMP"))
    save("bmp-grey.bmp", pillow(image.convert("L"), "BMP"))
    down = pillow(image, "BMP")
    stride = -(-21 * 3 // 4) * 4
    rows = [down[54 + i * stride:54 + (i + 1) * stride] for i in range(13)]
    save("bmp-top-down.bmp", down[:22] + struct.pack("<i", -13) + down[26:54] + b"".join(reversed(rows)))
    pixels = b"".join(
        b"".join(struct.pack("<H", (r >> 3) << 10 | (g >> 3) << 5 | b >> 3) for r, g, b in (image.getpixel((x, y)) for x in range(21))) + b"\0\0"
        for y in reversed(range(13)))
    head = struct.pack("<IiiHHIIiiII", 40, 21, 13, 1, 16, 0, len(pixels), 2835, 2835, 0, 0)
    save("bmp-16.bmp", b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels)
    pixels = b"".join(struct.pack("BBBB", b, g, r, 0) for y in reversed(range(13)) for r, g, b in (image.getpixel((x, y)) for x in range(21)))
    head = struct.pack("<IiiHHIIiiII", 40, 21, 13, 1, 32, 0, len(pixels), 2835, 2835, 0, 0)
    save("bmp-32.bmp", b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + head + pixels)


# --- Colour profiles ----------------------------------------------------------------------------------------------------

def s15(value):
    return struct.pack(">i", round(value * 65536))


def profile(primaries, gamma, space=b"RGB ", white=(0.9642, 1.0, 0.8249)):
    """An ICC v2 matrix profile: XYZ (D50) of red, green and blue, and a gamma."""
    xyz = lambda v: b"XYZ \0\0\0\0" + b"".join(s15(x) for x in v)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    tags = [(b"desc", text + b"\0" * (-len(text) % 4)), (b"wtpt", xyz(white)), (b"cprt", b"text\0\0\0\0none\0\0\0\0")]
    if space == b"RGB ":
        tags += [(name, xyz(v)) for name, v in zip([b"rXYZ", b"gXYZ", b"bXYZ"], primaries)]
        tags += [(name, curve) for name in [b"rTRC", b"gTRC", b"bTRC"]]
    else:
        tags += [(b"kTRC", curve)]
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(value))
        data += value
    size = 128 + len(table) + len(data)
    head = struct.pack(">I", size) + b"\0\0\0\0" + struct.pack(">I", 0x02400000) + b"mntr" + space + b"XYZ "
    head += b"\x07\xd0\0\1\0\1\0\0\0\0\0\0" + b"acsp" + b"\0" * 28 + b"".join(s15(x) for x in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + table + data


def undated(icc):
    """The profile without the time at which it was made, so that the files are the same each time."""
    return icc[:24] + b"\x07\xd0\0\1\0\1\0\0\0\0\0\0" + icc[36:]


def ink_profile():
    """An ICC v2 profile for CMYK: a table of two steps an ink (Lab), with cyan and magenta much lighter than by default."""
    lab = lambda l, a, b: bytes([round(l * 255 / 100), round(a + 128), round(b + 128)])
    grid = b"".join(
        lab(max(0, (100 - 25 * c - 30 * m - 8 * y) * (1 - k)), (-30 * c + 60 * m) * (1 - k), (-40 * c + 80 * y) * (1 - k))
        for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1))
    matrix = b"".join(s15(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + bytes(range(256)) * 4 + grid + bytes(range(256)) * 3
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 79
    white = b"XYZ \0\0\0\0" + b"".join(s15(x) for x in (0.9642, 1.0, 0.8249))
    tags = [(b"desc", text + b"\0" * (-len(text) % 4)), (b"wtpt", white), (b"cprt", b"text\0\0\0\0none\0\0\0\0"),
            (b"A2B0", lut + b"\0" * (-len(lut) % 4))]
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(value))
        data += value
    head = struct.pack(">I", 128 + len(table) + len(data)) + b"\0\0\0\0" + struct.pack(">I", 0x02400000)
    head += b"prtrCMYKLab \x07\xd0\0\1\0\1\0\0\0\0\0\0" + b"acsp" + b"\0" * 28
    head += b"".join(s15(x) for x in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\0") + table + data


def profiles():
    image = picture(33, 21)
    red, green, blue = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)
    p3 = [(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)]
    adobe = [(0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)]
    made = {
        "p3": profile(p3, 2.2), "adobe": profile(adobe, 2.2), "swapped": profile([green, blue, red], 2.2),
        "gamma-1": profile([red, green, blue], 1.0), "srgb": undated(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        "damaged": profile(p3, 2.2)[:200],
    }
    for name, icc in made.items():
        save(f"icc-{name}.jpg", pillow(image, "JPEG", quality=95, subsampling=0, icc_profile=icc))
        save(f"icc-{name}.png", pillow(image, "PNG", icc_profile=icc))
        save(f"icc-{name}.webp", pillow(image, "WEBP", lossless=True, icc_profile=icc))
    grey = profile(None, 1.0, b"GRAY")
    save("icc-grey.jpg", pillow(image.convert("L"), "JPEG", quality=95, icc_profile=grey))
    save("icc-grey.png", pillow(image.convert("L"), "PNG", icc_profile=grey))
    save("icc-grey-in-colour.jpg", pillow(image, "JPEG", quality=95, icc_profile=grey))
    save("icc-colour-in-grey.jpg", pillow(image.convert("L"), "JPEG", quality=95, icc_profile=made["p3"]))
    save("icc-swapped-palette.png", pillow(image.quantize(16, dither=Image.Dither.NONE), "PNG", icc_profile=made["swapped"]))
    clear = image.convert("RGBA")
    clear.putalpha(200)
    save("icc-swapped-alpha.png", pillow(clear, "PNG", icc_profile=made["swapped"]))
    ink = image.convert("CMYK")
    ink.putdata([(c, m, y, (c * 3 + m) % 160) for c, m, y, _ in ink.getdata()])
    save("icc-ink.jpg", pillow(ink, "JPEG", quality=95, icc_profile=ink_profile()))
    save("icc-colour-in-ink.jpg", pillow(ink, "JPEG", quality=95, icc_profile=made["swapped"]))
    save("icc-ink-in-colour.jpg", pillow(image, "JPEG", quality=95, icc_profile=ink_profile()))
    turned = pillow(image, "JPEG", quality=95, icc_profile=made["swapped"], exif=b"Exif\0\0" + exif(6))
    save("icc-swapped-exif-6.jpg", turned)


def cuts():
    """Files that end too early, or whose end was put on again after a part was lost."""
    image = picture(64, 96)
    data = ppm(image)
    whole = {
        "baseline.jpg": run("cjpeg", ["-sample", "2x2"], data),
        "restarts.jpg": run("cjpeg", ["-sample", "2x1", "-restart", "2B"], data),
        "progressive.jpg": run("cjpeg", ["-progressive"], data),
        "cmyk.jpg": pillow(image.convert("CMYK"), "JPEG", quality=90),
        "plain.png": pillow(image, "PNG"),
        "plain.gif": pillow(image.quantize(64, dither=Image.Dither.NONE), "GIF", interlace=0),
        "interlaced.gif": pillow(image.quantize(64, dither=Image.Dither.NONE), "GIF", interlace=1),
        "interlaced.png": png(64, 96, 8, 2, lambda x, y: image.getpixel((x, y)), interlaced=True),
        "lossy.webp": pillow(image, "WEBP", quality=80),
    }
    for name, content in whole.items():
        for share in (30, 75, 95):
            save(f"cut-{share}-{name}", content[:len(content) * share // 100])
    for name in ("baseline.jpg", "progressive.jpg"):
        content = whole[name]
        for share in (30, 75):
            save(f"cut-{share}-ended-{name}", content[:len(content) * share // 100] + b"\xff\xd9")
    baseline = whole["baseline.jpg"]
    save("cut-tail-zeros-baseline.jpg", baseline[:len(baseline) * 3 // 4] + b"\0" * (len(baseline) // 4))


def digests():
    """Pillow's pixels of photographs, as `cargo run --release -p soli-trainer --example pixels -- FOLDER` prints ours."""
    import hashlib
    for path in sorted(OUT.iterdir()):
        image = Image.open(path).convert("RGB")
        print(hashlib.sha256(image.tobytes()).hexdigest(), image.width, image.height, path.name)


def compare():
    """Mean absolute differences between Pillow's pixels (over white) and Chromium's."""
    from PIL import ImageOps
    from PIL.ImageStat import Stat
    from PIL import ImageChops
    over = lambda image: Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    for expected in sorted(OUT.glob("*.expected.png")):
        name = expected.name.removesuffix(".expected.png")
        try:
            image = ImageOps.exif_transpose(Image.open(OUT / name))
            difference = ImageChops.difference(over(image), over(Image.open(expected)))
            worst, mean = max(high for _, high in difference.getextrema()), sum(Stat(difference).mean) / 3
            print(f"{name:45} {worst:4} {mean:7.2f}" if worst else f"{name:45} equal")
        except Exception as error:
            print(f"{name:45} {error}")


if __name__ == "__main__":
    if "--compare" in sys.argv:
        compare()
    elif "--digests" in sys.argv:
        digests()
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        jpegs(), pngs(), gifs(), webps(), bmps(), profiles(), cuts()
