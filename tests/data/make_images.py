"""Makes the pictures of tests/io/image_test.cpp, all of one 4 x 3 pattern, with Pillow. Run: python make_images.py"""
import pathlib

import numpy
from PIL import Image, ImageOps

folder = pathlib.Path(__file__).parent / "images"
folder.mkdir(exist_ok=True)
rgb = numpy.arange(36, dtype=numpy.uint8).reshape(3, 4, 3) * 7
Image.fromarray(rgb).save(folder / "rgb.png")
alpha = numpy.concatenate([rgb, numpy.array([[[255], [128], [0], [51]]] * 3, dtype=numpy.uint8)], 2)
Image.fromarray(alpha).save(folder / "alpha.png")
grey = numpy.arange(12, dtype=numpy.uint8).reshape(3, 4) * 20
Image.fromarray(grey).save(folder / "grey.png")
Image.fromarray(grey.astype(numpy.uint16) * 257).save(folder / "grey16.png")
palette = Image.fromarray(numpy.arange(12, dtype=numpy.uint8).reshape(3, 4) % 3, mode="P")
palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
palette.save(folder / "palette.png")
gradient = numpy.stack(numpy.meshgrid(numpy.arange(32) * 8, numpy.arange(24) * 10), 2)
gradient = numpy.concatenate([gradient, numpy.full((24, 32, 1), 60)], 2).astype(numpy.uint8)
Image.fromarray(gradient).save(folder / "gradient.jpg", quality=95, subsampling=0)

# An L that is stored in each of the eight orientations of Exif, in both byte orders; Pillow turns all upright.
shape = numpy.full((12, 8, 3), 255, dtype=numpy.uint8)
shape[1:11, 1:3] = shape[9:11, 1:7] = (200, 30, 30)
shape[1:3, 5:7] = (30, 30, 200)
upright = Image.fromarray(shape)
upright.save(folder / "upright.png")
stored = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
for orientation in range(1, 9):
    exif = Image.Exif()
    exif.endian = "<" if orientation % 2 else ">"
    exif[0x112] = orientation
    turned = upright.transpose(stored[orientation]) if orientation > 1 else upright
    for name, options in (("png", {}), ("jpg", {"quality": 100, "subsampling": 0}), ("webp", {"lossless": True})):
        if name == "jpg" or orientation in (1, 6):
            turned.save(folder / f"orientation-{orientation}.{name}", exif=exif.tobytes(), **options)
    again = ImageOps.exif_transpose(Image.open(folder / f"orientation-{orientation}.jpg"))
    assert numpy.abs(numpy.asarray(again).astype(int) - shape).max() < 30, orientation
Image.fromarray(alpha).save(folder / "alpha.webp", lossless=True, exact=True)
Image.fromarray(gradient).save(folder / "gradient.webp", quality=95)
Image.fromarray(gradient).save(folder / "progressive.jpg", quality=95, subsampling=0, progressive=True)
moving = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
moving[0].save(folder / "moving.webp", save_all=True, append_images=moving[1:], lossless=True)
Image.fromarray(rgb).save(folder / "profile.png", icc_profile=b"x" * 200)  # which libpng warns of
