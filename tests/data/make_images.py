"""Makes the pictures of tests/io/image_test.cpp, all of one 4 x 3 pattern, with Pillow. Run: python make_images.py"""
import pathlib

import numpy
from PIL import Image

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
