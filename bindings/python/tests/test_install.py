# SPDX-License-Identifier: MIT
"""The package as `meson install` leaves it, and as a wheel."""
from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile

import make_wheel
import support

PROGRAM = "import realizar; print(realizar.__file__); print(realizar.Model.demo().chat('What is 2+2?').text)"


class Installed(unittest.TestCase):
    package: str
    libraries: str
    root: str

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = folder.name
        cls.package, cls.libraries = make_wheel.install(os.environ["BUILD"], folder.name)

    def answer(self, folder: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONPATH": folder, "LD_LIBRARY_PATH": self.libraries},
            capture_output=True,
            text=True,
        )
        file = os.path.join(folder, "realizar", "__init__.py")
        self.assertEqual((done.stdout, done.stderr), (f"{file}\n2 + 2 = 4\n", ""))

    def test_installed(self) -> None:
        self.answer(os.path.dirname(self.package))

    def test_wheel(self) -> None:
        wheel = make_wheel.write_wheel(self.package, "1.2.3", self.root)
        self.assertRegex(os.path.basename(wheel), r"^realizar-1\.2\.3-cp3\d+-cp3\d+-linux_\w+\.whl$")
        unpacked = os.path.join(self.root, "unpacked")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
            info = "realizar-1.2.3.dist-info"
            rows = list(csv.reader(archive.read(f"{info}/RECORD").decode().splitlines()))
            self.assertEqual({row[0] for row in rows}, set(archive.namelist()))
            for name, digest, size in rows[:-1]:
                data = archive.read(name)
                self.assertEqual(make_wheel.record_line(name, data), f"{name},{digest},{size}\n")
            self.assertIn(b"Name: realizar\n", archive.read(f"{info}/METADATA"))
        self.answer(unpacked)


class Folder(unittest.TestCase):
    def test_where_python_looks(self) -> None:
        script = os.path.join(os.path.dirname(make_wheel.__file__), "install_dir.py")

        def folder(prefix: str) -> str:
            return subprocess.check_output([sys.executable, script, prefix], text=True).strip()

        for prefix in ("/usr", "/usr/local"):
            self.assertTrue(folder(prefix).startswith(f"{prefix}/lib/python3"), folder(prefix))
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.assertEqual(folder("/opt/apr"), f"/opt/apr/lib/{version}/site-packages")


if __name__ == "__main__":
    support.main()
