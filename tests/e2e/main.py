#!/usr/bin/python3
"""main.py PROGRAM MODULE: runs one module of tests against a built boxgram."""

import importlib
import os
import signal
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]

import tap  # noqa: E402
import world  # noqa: E402


def main():
    world.PROGRAM = os.path.abspath(sys.argv[1])
    # Meson ends a test that takes too long with SIGTERM: what it started must go with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        tap.run(importlib.import_module(sys.argv[2]), world.describe_open_worlds)
    finally:
        world.close_all()


main()
