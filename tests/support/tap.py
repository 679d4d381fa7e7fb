"""Runs unittest cases and reports them in TAP on stdout, which test_summary.py counts."""

import sys
import time
import unittest


class TapResult(unittest.TestResult):
    """`on_failure` gives more text for the report of a failed test."""

    def __init__(self, on_failure):
        super().__init__()
        self.number = 0
        self.bad = 0
        self.on_failure = on_failure

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def report(self, verdict, test, suffix=""):
        self.number += 1
        took = time.monotonic() - self.began
        print(f"{verdict} {self.number} {test.id()}{suffix} ({took:.2f} s)", flush=True)

    def addSuccess(self, test):
        self.report("ok", test)

    def addSkip(self, test, reason):
        # What cannot run must be seen: the machine that runs the tests is meant to be able to.
        self.fail_with(test, f"skipped: {reason}")

    def addFailure(self, test, err):
        self.fail_with(test, self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.fail_with(subtest, self._exc_info_to_string(err, test))

    def fail_with(self, test, text):
        self.bad += 1
        if not hasattr(self, "began"):
            self.began = time.monotonic()
        self.report("not ok", test)
        for line in (text + self.on_failure()).splitlines():
            print("# " + line, flush=True)


def run(module, on_failure=lambda: ""):
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = TapResult(on_failure)
    suite.run(result)
    if result.number == 0:
        print("not ok 1 no test ran")
    sys.exit(1 if result.bad or result.number == 0 else 0)
