"""Runs a program of queuectl's on the stand-in for Windows: launcher.py FILE WORDS."""

import os
import runpy
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import shim  # noqa: E402

del sys.path[0]
shim.install()
sys.argv[:] = sys.argv[1:]
if __name__ == "__main__":
    runpy.run_path(sys.argv[0], run_name="__main__")
