"""Pictures that want to break their decoder, made from a seed; shared by tests and benchmarks."""

import io
import struct
import zlib
from itertools import cycle, islice

import numpy as np

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def saved(image, kind, **options):
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(rng, width=96, height=64):
    """Something with edges and noise."""
    from PIL import Image

    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((width, height))
    noisy = np.asarray(coarse).astype(int) + rng.integers(-12, 13, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def chunk(name, body):
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width, height, packed, depth=8, colour=2, interlace=0, before=b""):
    """A PNG from its parts; `packed` are its rows as they lie in the file, `before` other chunks."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    rows = chunk(b"IDAT", packed)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + rows + chunk(b"IEND", b"")


def pixel_bomb(side, colour=2):
    """A PNG of side x side black pixels in a few kilobytes."""
    pack, channels = zlib.compressobj(9), {0: 1, 2: 3, 6: 4}[colour]
    row = b"\0" * (1 + side * channels)
    return png_of(side, side, b"".join(pack.compress(row) for _ in range(side)) + pack.flush(), colour=colour)


def scan_bomb(side, scans):
    """A progressive JPEG whose last scan comes again and again: little to read, no end of work."""
    from PIL import Image

    data = saved(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def frame_bomb(frames):
    """A GIF of many frames."""
    from PIL import Image

    listed = [Image.new("P", (64, 64), i % 2) for i in range(frames)]
    return saved(listed[0], "GIF", save_all=True, append_images=listed[1:], optimize=False)


def chunk_bomb(chunks, size=1 << 16):
    """A PNG with many compressed texts that are large once unpacked."""
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * size, 9))
    return png_of(4, 4, zlib.compress(b"\0" * 13 * 4), before=text * chunks)


def profile_bomb(size):
    """A PNG whose colour profile is large once unpacked."""
    return png_of(
        4, 4, zlib.compress(b"\0" * 52), before=chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * size))
    )


def tiff_of(tags):
    """A TIFF of one directory: (tag, type, count, value) as they are."""
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + struct.pack("<I", 8)  # the next is this one


def bmp_of(width, height, bits, packing):
    """The header of a BMP."""
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 99, 0, 54, 40, width, height, 1, bits, packing, *[0] * 5)


def mutated(data, rng):
    """A file with damage: bytes changed, cut, doubled, or numbers made huge."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(0, max(len(data), 1)))
        how = int(rng.integers(0, 5))
        if how == 0:
            data[place : place + 1] = bytes([int(rng.integers(0, 256))])
        elif how == 1:
            data[place : place + 4] = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")[place % 3]
        elif how == 2:
            del data[place : place + int(rng.integers(1, 64))]
        elif how == 3:
            data[place:place] = data[place : place + int(rng.integers(1, 256))]
        else:
            data[place : place + 8] = rng.bytes(8)
    return bytes(data)


def bases(rng):
    """Sound pictures in every format and many modes, by name."""
    from PIL import Image

    image = photo(rng)
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = Image.fromarray(rng.integers(0, 65_536, (40, 40), dtype=np.uint16))
    made = {kind: saved(image, kind) for kind in KINDS}
    return made | {
        "JPEG exif": saved(image, "JPEG", exif=exif),
        "JPEG progressive": saved(image, "JPEG", progressive=True),
        "JPEG CMYK": saved(image.convert("CMYK"), "JPEG"),
        "JPEG grey": saved(image.convert("L"), "JPEG"),
        "JPEG profile": saved(image, "JPEG", icc_profile=rng.bytes(3000)),
        "PNG 16": saved(grey, "PNG"),
        "PNG palette": saved(image.quantize(16), "PNG", transparency=3),
        "PNG alpha": saved(image.convert("RGBA"), "PNG"),
        "PNG interlaced": png_of(8, 8, zlib.compress(bytes(300)), interlace=1),
        "WEBP lossless": saved(image.convert("RGBA"), "WEBP", lossless=True),
        "WEBP frames": saved(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
        "GIF frames": frame_bomb(5),
        "TIFF deflate": saved(image, "TIFF", compression="tiff_deflate"),
        "TIFF LZW": saved(image, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": saved(image, "TIFF", compression="jpeg"),
        "TIFF float": saved(Image.fromarray(rng.random((20, 20), np.float32)), "TIFF"),
        "BMP palette": saved(image.quantize(16), "BMP"),
    }


def monsters(rng):
    """Files that were made to hurt, by name."""
    sound = saved(photo(rng), "JPEG")
    big = 200_000_000
    return {
        "nothing": b"", "one byte": b"\xff", "zeros": bytes(10_000), "noise": rng.bytes(5000),
        "web page": b"<!doctype html><html><body>404</body></html>",
        "drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "pdf": b"%PDF-1.7\n" + sound, "zip": b"PK\x03\x04" + sound, "postscript": b"%!PS\n(/etc/passwd) run",
        "jpeg, then a page": sound + b"<script>alert(1)</script>",
        "gif, then javascript": b"GIF89a/*" + rng.bytes(40) + b"*/=1;alert(1)",
        "header alone": sound[:20], "png 40 Mpx": pixel_bomb(6300),
        "png 400 Mpx": png_of(20_000, 20_000, b"x"),
        "png 2^31": png_of(2**31 - 1, 2**31 - 1, b"x"), "png 0 x 0": png_of(0, 0, b""),
        "png one row": png_of(30_000_000, 1, zlib.compress(bytes(9))), "frames": frame_bomb(400),
        "texts": chunk_bomb(300), "large text": chunk_bomb(1, 100 << 20), "profile": profile_bomb(100 << 20),
        "interlaced": png_of(6000, 6000, zlib.compress(bytes(1 << 20)), interlace=1),
        "scans": scan_bomb(2000, 3000),
        "tiff loop": tiff_of([(256, 4, 1, 9), (257, 4, 1, 9)]),
        "tiff strips": tiff_of(
            [(256, 4, 1, 6000), (257, 4, 1, 6000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
             (273, 4, big, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, big, 8)]),
        "tiff tag": tiff_of([(256, 4, 2**31, 0), (257, 4, 1, 9), (270, 2, 2**32 - 1, 8)]),
        "bmp negative": bmp_of(-5, -(2**31), 24, 0),
        "bmp rle": bmp_of(6000, 6000, 8, 1),
        "webp huge": b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6,
        "exif loop": saved(photo(rng), "JPEG", exif=b"Exif\0\0" + tiff_of([(0x8769, 4, 1, 8)])),
    }  # fmt: skip


def hostile(count, seed=0):
    """Make (name, bytes) of that many hostile pictures: each monster, and the rest damaged files."""
    rng = np.random.default_rng(seed)
    worst, sound = monsters(rng), bases(rng)
    yield from islice(worst.items(), count)
    for name, data in islice(cycle(sound.items()), max(count - len(worst), 0)):
        if rng.random() < 0.1:
            yield f"{name}, cut", data[: int(rng.integers(1, len(data)))]
        else:
            yield f"{name}, damaged", mutated(data, rng)
