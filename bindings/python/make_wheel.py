#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_wheel.py BUILD OUTPUT: a wheel of the Python package, with the libraries inside.

BUILD is a configured and built folder, OUTPUT the folder that the wheel goes to. auditwheel (with patchelf) puts the
libraries in and gives the wheel the manylinux tag of Debian 12's glibc. The CUDA module stays outside.
"""
from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

PLATFORM = "manylinux_2_36"


def install(build: str, root: str) -> tuple[str, str]:
    """Install libraries and package below `root`; the folders that they went to."""
    subprocess.run(
        ["meson", "install", "-C", build, "--no-rebuild", "--quiet", "--tags", "python,runtime"],
        env={**os.environ, "DESTDIR": root},
        check=True,
    )
    packages = glob.glob(f"{root}/**/realizar/__init__.py", recursive=True)
    libraries = glob.glob(f"{root}/**/librealizar.so.*", recursive=True)
    if not packages or not libraries:
        sys.exit(f"make_wheel.py: {build}: built without the Python package (meson configure -Dpython=enabled)")
    return os.path.dirname(packages[0]), os.path.dirname(libraries[0])


def project_version(build: str) -> str:
    done = subprocess.run(["meson", "introspect", "--projectinfo", build], capture_output=True, check=True)
    return str(json.loads(done.stdout)["version"])


def tag_of(package: str) -> str:
    """cp311-cp311-linux_x86_64, of the extension's name."""
    (extension,) = glob.glob(f"{package}/_lowlevel.cpython-*.so")
    found = re.search(r"cpython-(\d+)-(\w+)-linux", extension)
    if found is None:
        sys.exit(f"make_wheel.py: {extension}: of no known platform")
    return f"cp{found[1]}-cp{found[1]}-linux_{found[2]}"


def metadata(version: str, tag: str) -> dict[str, bytes]:
    """The files of the wheel's dist-info folder, but for RECORD."""
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    with open(os.path.join(top, "LICENSE"), "rb") as file:
        licence = file.read()
    about = (
        f"Metadata-Version: 2.1\nName: realizar\nVersion: {version}\nSummary: Local language models\n"
        "License: MIT\nLicense-File: LICENSE\nRequires-Python: >=3.10\n"
    )
    wheel = f"Wheel-Version: 1.0\nGenerator: make_wheel.py\nRoot-Is-Purelib: false\nTag: {tag}\n"
    return {"METADATA": about.encode(), "WHEEL": wheel.encode(), "LICENSE": licence}


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def write_wheel(package: str, version: str, folder: str) -> str:
    """The package alone as a wheel; its path."""
    tag = tag_of(package)
    info = f"realizar-{version}.dist-info"
    files: dict[str, bytes] = {}
    for path in sorted(glob.glob(f"{package}/*")):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                files[f"realizar/{os.path.basename(path)}"] = file.read()
    files.update({f"{info}/{name}": data for name, data in metadata(version, tag).items()})
    record = "".join(record_line(name, data) for name, data in files.items()) + f"{info}/RECORD,,\n"
    wheel = os.path.join(folder, f"realizar-{version}-{tag}.whl")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(f"{info}/RECORD", record)
    return wheel


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    build, output = sys.argv[1:]
    if shutil.which("auditwheel") is None or shutil.which("patchelf") is None:
        sys.exit("make_wheel.py: auditwheel and patchelf are needed (pip install auditwheel patchelf)")
    with tempfile.TemporaryDirectory() as root:
        package, libraries = install(build, root)
        wheel = write_wheel(package, project_version(build), root)
        platform = f"{PLATFORM}_{tag_of(package).split('linux_')[1]}"
        subprocess.run(
            ["auditwheel", "repair", "--plat", platform, "--wheel-dir", output, wheel],
            env={**os.environ, "LD_LIBRARY_PATH": libraries},
            check=True,
        )


if __name__ == "__main__":
    main()
