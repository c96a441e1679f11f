# SPDX-License-Identifier: MIT
"""Each class of the exception tree, and how a user comes to see it."""
from __future__ import annotations

import os
import tempfile
import unittest

import realizar
import support
from realizar import errors, lowlevel


class Errors(unittest.TestCase):
    def test_every_status_has_a_class(self) -> None:
        for code in range(-12, 0):
            error = errors.from_status(code, "words")
            self.assertEqual((error.code, str(error)), (code, "words"))
            self.assertEqual(error.name, lowlevel.trueno_status_name(code))
        self.assertEqual(len({type(errors.from_status(c, "")) for c in range(-12, 0)}), 12)
        self.assertIs(type(errors.from_status(-99, "")), realizar.InternalError)

    def test_python_classes_too(self) -> None:
        for ours, pythons in (
            (realizar.UsageError, ValueError),
            (realizar.ClosedError, ValueError),
            (realizar.ContextLengthError, ValueError),
            (realizar.NotFoundError, FileNotFoundError),
            (realizar.FormatError, ValueError),
            (realizar.ContentError, ValueError),
            (realizar.StorageError, OSError),
            (realizar.OutOfMemoryError, MemoryError),
        ):
            self.assertTrue(issubclass(ours, pythons) and issubclass(ours, realizar.RealizarError))

    def test_not_found(self) -> None:
        with self.assertRaisesRegex(realizar.NotFoundError, "/nowhere/m.gguf"):
            realizar.Model("/nowhere/m.gguf")
        with self.assertRaises(FileNotFoundError):
            realizar.Model(b"/nowhere/\xff.gguf".decode("utf-8", "surrogateescape"))
        with self.assertRaises(ValueError):
            realizar.Model("a\0b")
        with self.assertRaises(TypeError):
            realizar.Model(7)  # type: ignore[arg-type]

    def test_format(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.gguf")
            with open(path, "wb") as file:
                file.write(b"GGUF\3\0\0\0" + b"\xff" * 64)
            with self.assertRaisesRegex(realizar.FormatError, "x.gguf"):
                realizar.Model(path)

    def test_device(self) -> None:
        with self.assertRaises(realizar.DeviceError):
            realizar.Model("demo", device="cuda:63")
        for device in ("tpu", "cuda:x", "", "cpu:", "cpu:1"):
            with self.assertRaises(ValueError, msg=device):
                realizar.Model("demo", device=device)
        with realizar.Model("demo", device="reference", ctx=16) as model:
            self.assertEqual(model.info.backend, "reference")

    def test_options(self) -> None:
        for options in ({"ctx": 0}, {"threads": -1}, {"kv_type": "q2"}):
            with self.assertRaises(ValueError, msg=str(options)):
                realizar.Model("demo", **options)  # type: ignore[arg-type]

    def test_lowlevel_is_safe(self) -> None:
        with self.assertRaises(ValueError):
            lowlevel.realizar_engine_backend(None)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            lowlevel.realizar_engine_open("x", {"speed": 9})
        with self.assertRaises(TypeError):
            lowlevel.realizar_engine_open("x", [])  # type: ignore[arg-type]


if __name__ == "__main__":
    support.main()
