#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""every_option.py APR: each option can come from its APR_ variable and from the user's apr.yaml, and which wins."""
import os
import re
import subprocess
import sys
import tempfile

COMMAND_LINE_ALONE = {"help", "version", "show-origin"}
NOT_IN_FILES = COMMAND_LINE_ALONE | {"no-settings"}


def value_of_each(apr):
    """Some value for every option: the last choice where there are some, which is no default, else 1."""
    script = subprocess.run([apr, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    choices = dict(re.findall(r"--([a-z-]+)(?: \| -\w)?\) words='([^']*)'", script))
    return lambda name: choices[name].split()[-1] if name in choices else "1"


def main():
    apr = os.path.abspath(sys.argv[1])
    value = value_of_each(apr)
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(folder + "/config/apr")
        base = {"HOME": folder, "XDG_CONFIG_HOME": folder + "/config", "APR_CONFIG_SYSTEM": folder + "/etc",
                "PATH": os.environ["PATH"], "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}

        def config(settings, **env):
            with open(folder + "/config/apr/apr.yaml", "w", encoding="utf-8") as f:
                f.write(settings)
            done = subprocess.run([apr, "config", "--show-origin"], env={**base, **env}, cwd=folder,
                                  capture_output=True, text=True, check=False)
            rows = [line.split() for line in done.stdout.splitlines()]
            return {row[0]: row[1:] for row in rows} if done.returncode == 0 else {}

        def takes(name, origin, settings, **env):
            option = config(settings, **env).get(name, [""])
            return origin in option[-1] and option[0] in (value(name), "true")

        options = [name for name in config("") if name != "json"]  # whose output is JSON
        for name in options:
            variable = "APR_" + name.upper().replace("-", "_")
            line = "%s: %s\n" % (name, value(name))
            if takes(name, "environment", "", **{variable: value(name)}) != (name not in COMMAND_LINE_ALONE):
                bad.append(variable)
            if takes(name, "apr.yaml:1", line) != (name not in NOT_IN_FILES):
                bad.append(name + " in apr.yaml")
            if name not in NOT_IN_FILES and not takes(name, "environment", line, **{variable: value(name)}):
                bad.append(variable + " over apr.yaml")
    print(len(options), "options,", len(bad), "wrong:", bad)
    return 1 if bad or len(options) < 50 else 0


sys.exit(main())
