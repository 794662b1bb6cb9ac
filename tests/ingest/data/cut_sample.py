"""Cuts online_retail_sample.csv out of the month's file: `python cut_sample.py online_retail_2010-12.csv.gz > online_retail_sample.csv`.

Whole invoices of at most 15 lines, in the file's order: good ones, cancellations, and every kind of dirt there is. Nothing is changed.
"""

import csv
import gzip
import sys
from itertools import groupby
from pathlib import Path

WANTED = {"good": 34, "cancelled": 20, "nobody": 8, "price": 9, "description": 5, "quantity": 5}


def kind_of(lines: list[dict[str, str]]) -> str:
    first = lines[0]
    if first["InvoiceNo"].startswith("C"):
        return "cancelled"
    if any(int(line["Quantity"]) < 0 for line in lines):
        return "quantity"
    if any(not line["Description"] for line in lines):
        return "description"
    if any(float(line["UnitPrice"]) <= 0 for line in lines):
        return "price"
    return "good" if first["CustomerID"] else "nobody"


def main(source: str) -> None:
    left = dict(WANTED)
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        writer = csv.DictWriter(sys.stdout, reader.fieldnames or (), lineterminator="\n")
        writer.writeheader()
        for _, group in groupby(reader, key=lambda line: line["InvoiceNo"]):
            lines = list(group)
            kind = kind_of(lines)
            mixed = kind == "price" and lines[0]["CustomerID"]  # the rare good invoice with a free line in it
            if mixed or (len(lines) <= 15 and left[kind] > 0):
                left[kind] -= 1
                writer.writerows(lines)


if __name__ == "__main__":
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]
    main(str(Path(sys.argv[1])))
