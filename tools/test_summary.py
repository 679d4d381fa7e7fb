#!/usr/bin/python3
"""Counts test cases in Meson's testlog.json and in TAP files; closes with "N passed, N failed".

Meson's own closing lines count programs, and its JUnit file leaves out what timed out. So each
program's output is read for its cases (googletest, TAP), and a program that crashed, timed out or
was killed counts as at least one failure whatever it had printed until then.
"""

import json
import re
import sys

GOOGLETEST = re.compile(r"^\[ {2,}(OK|FAILED|SKIPPED) {1,2}\] \S.* \(\d+ ms\)$", re.MULTILINE)
TAP_PLAN = re.compile(r"^1\.\.\d+", re.MULTILINE)
TAP_CASE = re.compile(r"^(ok|not ok)\b(.*)$", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add_tap(self, text):
        for verdict, rest in TAP_CASE.findall(text):
            if "# skip" in rest.lower():
                self.skipped += 1
            elif verdict == "ok":
                self.passed += 1
            else:
                self.failed += 1

    def add_googletest(self, text):
        verdicts = GOOGLETEST.findall(text)
        self.passed += verdicts.count("OK")
        self.failed += verdicts.count("FAILED")
        self.skipped += verdicts.count("SKIPPED")

    def add_program(self, entry):
        """One line of testlog.json."""
        text, result = entry.get("stdout") or "", entry["result"]
        before = (self.passed, self.failed, self.skipped)
        if GOOGLETEST.search(text):
            self.add_googletest(text)
        elif TAP_PLAN.search(text):
            self.add_tap(text)
        counted = before != (self.passed, self.failed, self.skipped)
        if result == "SKIP":
            self.skipped += not counted
        elif result in GOOD:
            self.passed += not counted
        else:
            print(f"FAILED: {entry['name']} ({result})")
            self.failed += self.failed == before[1]


def summarise(paths):
    count = Count()
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as log:
                if path.endswith(".tap"):
                    count.add_tap(log.read())
                else:
                    for line in filter(str.strip, log):
                        count.add_program(json.loads(line))
        except (OSError, ValueError, KeyError) as error:
            print(f"FAILED: no usable test log {path}: {error}")
            count.failed += 1
    if count.passed + count.failed == 0:
        print("FAILED: no test ran")
        count.failed = 1
    return count


def main():
    count = summarise(sys.argv[1:])
    if count.skipped:
        print(f"{count.skipped} skipped")
    print(f"{count.passed} passed, {count.failed} failed")
    sys.exit(1 if count.failed else 0)


if __name__ == "__main__":
    main()
