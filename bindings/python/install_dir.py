# SPDX-License-Identifier: MIT
"""install_dir.py PREFIX: the folder below PREFIX where this Python looks for packages."""
import os
import site
import sys

prefix = sys.argv[1]
lib = os.path.join(prefix, "lib") + os.sep
known = [*site.getsitepackages(), site.getusersitepackages(), *sys.path]
version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
fallback = os.path.join(lib, version, "site-packages")
print(next((folder for folder in known if folder.startswith(lib) and folder.endswith("-packages")), fallback))
