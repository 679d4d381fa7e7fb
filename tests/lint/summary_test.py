#!/usr/bin/python3
"""summary_test.py ROOT: what tools/test_summary.py makes of test logs."""

import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.abspath(sys.argv[1])
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "support")]

import tap  # noqa: E402
import test_summary  # noqa: E402

GOOGLETEST = "[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n[       OK ] A.C (1 ms)\n"


def count(*entries, tap_text=None):
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = os.path.join(folder, "testlog.json" if tap_text is None else "x.tap")
        with open(path, "w", encoding="utf-8") as file:
            file.write(tap_text if tap_text is not None else
                       "".join(json.dumps(entry) + "\n" for entry in entries))
        made = test_summary.summarise([path])
        return made.passed, made.failed, made.skipped


def entry(result, stdout=""):
    return {"name": "x", "result": result, "stdout": stdout}


class Summary(unittest.TestCase):
    def test_cases_are_counted(self):
        self.assertEqual(count(entry("OK", GOOGLETEST)), (2, 0, 0))
        self.assertEqual(count(entry("OK", "1..2\nok 1 a\nok 2 b # SKIP c\n")), (1, 0, 1))
        self.assertEqual(count(entry("OK")), (1, 0, 0))

    def test_failed_cases_are_counted(self):
        bad = GOOGLETEST + "[  FAILED  ] A.D (3 ms)\n[  FAILED  ] A.D\n"
        self.assertEqual(count(entry("FAIL", bad)), (2, 1, 0))
        self.assertEqual(count(entry("FAIL", "1..2\nok 1 a\nnot ok 2 b\n")), (1, 1, 0))

    def test_crash_and_timeout_fail_whatever_was_printed(self):
        for result in ("ERROR", "TIMEOUT", "INTERRUPT", "FAIL"):
            self.assertEqual(count(entry(result, GOOGLETEST)), (2, 1, 0), result)
            self.assertEqual(count(entry(result)), (0, 1, 0), result)

    def test_nothing_run_and_no_log_fail(self):
        self.assertEqual(count()[1], 1)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(test_summary.summarise(["/nonexistent"]).failed, 1)

    def test_tap_file(self):
        self.assertEqual(count(tap_text="1..2\nok 1 fuzz a\nnot ok 2 fuzz b\n"), (1, 1, 0))


tap.run(sys.modules[__name__])
