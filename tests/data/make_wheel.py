"""Makes deflated.whl for tests/io/package_test.cpp: compressed entries and a folder. Run: python make_wheel.py"""
import pathlib
import zipfile

with zipfile.ZipFile(pathlib.Path(__file__).parent / "deflated.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    wheel.writestr(zipfile.ZipInfo("data/"), "")
    entry = zipfile.ZipInfo("data/long.txt")
    entry.compress_type = zipfile.ZIP_DEFLATED
    wheel.writestr(entry, "".join(f"line {number}\n" for number in range(20000)))
