#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""in_page.py PAGE.md PROGRAM: exit 0 when a code block of the page is the program, to the byte."""
import re
import sys

with open(sys.argv[1], encoding="utf-8") as page, open(sys.argv[2], encoding="utf-8") as program:
    blocks = re.findall(r"^```c\n(.*?)^```$", page.read(), re.MULTILINE | re.DOTALL)
    sys.exit(0 if program.read() in blocks else 1)
