#!/usr/bin/env python3
"""Reduces a folder of R results to the classic series that may be redistributed.

usage: reduce.py SOURCE DESTINATION

SOURCE holds one JSON file per series, as written by R's forecast package, with INDEX.csv and VERSIONS.json beside
them. Only the series of R's own `datasets` package are kept (series of competitions and of other packages have
licences of their own); timings are dropped. Numbers are copied digit by digit.
"""
import json
import pathlib
import shutil
import sys

DATASETS = [
    "AirPassengers", "BJsales", "JohnsonJohnson", "LakeHuron", "Nile", "UKDriverDeaths", "UKgas", "USAccDeaths",
    "WWWusage", "austres", "co2", "discoveries", "ldeaths", "lh", "lynx", "nhtemp", "nottem", "sunspot.year", "uspop",
]


def strip(value):
    """Drops timings, at every depth."""
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if k != "cpu_seconds"}
    if isinstance(value, list):
        return [strip(v) for v in value]
    return value


class Number(float):
    """A float that prints as it was read."""

    def __new__(cls, text):
        number = float.__new__(cls, text)
        number.text = text
        return number

    def __repr__(self):
        return self.text


def dump(value):
    """JSON with one top-level field a line, so that diffs stay readable."""
    encode = json.JSONEncoder(separators=(",", ":")).encode
    # The C encoder calls float.__repr__; going through text keeps the digits of the source.
    def text(v):
        if isinstance(v, Number):
            return v.text
        if isinstance(v, dict):
            return "{" + ",".join(encode(k) + ":" + text(x) for k, x in v.items()) + "}"
        if isinstance(v, list):
            return "[" + ",".join(map(text, v)) + "]"
        return encode(v)
    return "{\n" + ",\n".join(encode(k) + ":" + text(v) for k, v in value.items()) + "\n}\n"


def main(source, destination):
    source, destination = pathlib.Path(source), pathlib.Path(destination)
    for name in DATASETS:
        data = json.loads((source / f"{name}.json").read_text(), parse_float=Number)
        data["source"] = "R datasets package"
        (destination / f"{name}.json").write_text(dump(strip(data)))
    shutil.copyfile(source / "VERSIONS.json", destination / "VERSIONS.json")
    statsmodels = json.loads((source / "statsmodels.json").read_text(), parse_float=Number)
    statsmodels["results"] = [r for r in statsmodels["results"] if r["id"] in DATASETS]
    (destination / "statsmodels.json").write_text(dump(strip(statsmodels)))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
