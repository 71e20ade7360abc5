#!/usr/bin/env python3
"""Writes Fashion-MNIST as a folder of pictures, in one of the forms that docs/data.md names.

recipes/own_pictures.py FOLDER [--train N --test N] [--form folders|metadata|coco|llava]

Reads Debian's package dataset-fashion-mnist; needs nothing but Python.
"""
import argparse
import gzip
import json
import pathlib
import struct
import zlib

SOURCE = pathlib.Path("/usr/share/datasets/fashion-mnist")
NAMES = ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
SIDE = 28


def png(pixels: bytes) -> bytes:
    """A grey picture of SIDE x SIDE pixels."""
    rows = b"".join(b"\0" + pixels[SIDE * row : SIDE * (row + 1)] for row in range(SIDE))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pictures(prefix: str, count: int):
    """The first pictures of a part, each with its class."""
    images = gzip.decompress((SOURCE / f"{prefix}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((SOURCE / f"{prefix}-labels-idx1-ubyte.gz").read_bytes())[8:]
    for i in range(min(count, len(labels))):
        yield images[SIDE * SIDE * i : SIDE * SIDE * (i + 1)], NAMES[labels[i]]


def write(path: pathlib.Path, content: bytes) -> None:
    """What is there already stays as old as it is, so that runs know it again."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def describe(form: str, folder: pathlib.Path, known: list) -> None:
    """Writes the list of pictures, [(file, class), ...]."""
    if form == "metadata":
        lines = [json.dumps({"file_name": file, "text": f"a photo of a {name}", "label": name}) for file, name in known]
        (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    elif form == "coco":
        content = {
            "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
            "images": [{"id": i, "file_name": file} for i, (file, _) in enumerate(known)],
            "annotations": [
                {"image_id": i, "category_id": NAMES.index(name), "caption": f"a photo of a {name}"}
                for i, (_, name) in enumerate(known)
            ],
        }
        (folder / "annotations.json").write_text(json.dumps(content))
    elif form == "llava":
        content = [
            {
                "id": file,
                "image": file,
                "class": name,
                "conversations": [
                    {"from": "human", "value": "<image>\ndescribe it"},
                    {"from": "gpt", "value": f"a photo of a {name}"},
                    {"from": "human", "value": "what is it?"},
                    {"from": "gpt", "value": name},
                ],
            }
            for file, name in known
        ]
        (folder / "conversations.json").write_text(json.dumps(content))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=9000, help="pictures to train on, of 60000")
    parser.add_argument("--test", type=int, default=1000, help="pictures to test, of 10000")
    parser.add_argument("--form", choices=["folders", "metadata", "coco", "llava"], default="folders")
    options = parser.parse_args()
    if not SOURCE.is_dir():
        parser.exit(1, f"{SOURCE} is not there; install Debian's package dataset-fashion-mnist\n")
    known = []
    for part, prefix, count in (("train", "train", options.train), ("test", "t10k", options.test)):
        for i, (pixels, name) in enumerate(pictures(prefix, count)):
            file = pathlib.Path(part, name.replace(" ", "_"), f"{i}.png")
            write(options.folder / file, png(pixels))
            known.append((str(file), name))
    describe(options.form, options.folder, known)


main()
