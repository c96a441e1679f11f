#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints tests/support/unicode14_ranges.inc: the code points assigned in Unicode 14.

Needs a Python whose unicodedata is Unicode 14.0 (3.11). Surrogates and private use are left out.
"""
import unicodedata

assert unicodedata.unidata_version == "14.0.0", unicodedata.unidata_version
ranges = []
for c in range(0x110000):
    if unicodedata.category(chr(c)) in ("Cn", "Cs", "Co"):
        continue
    if ranges and ranges[-1][1] == c - 1:
        ranges[-1][1] = c
    else:
        ranges.append([c, c])
line = ""
for first, last in ranges:
    entry = "{0x%x, 0x%x}, " % (first, last)
    if len(line) + len(entry) > 100:
        print(line.rstrip())
        line = ""
    line += entry
print(line.rstrip())
