#!/usr/bin/python3
"""lint_test.py ROOT LIBRARY...: what the compiler does not check, as tests.

The layers of ARCHITECTURE.md (who may include whom), the purity of the sans-IO libraries (by the
symbols that they import), and the habits of the project.
"""

import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.abspath(sys.argv[1])
LIBRARIES = sys.argv[2:]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

import tap  # noqa: E402

# Layer: the layers and the headers from outside (beginning of the path) that it may include.
LAYERS = {
    "base": (set(), {"fmt/", "tl/", "arpa/inet.h"}),
    "crypto": ({"base"}, {"sodium.h", "sha1.h", "pthread.h"}),
    "packet": ({"base", "crypto"}, {"fmt/"}),
    "stream": ({"base", "crypto", "packet"}, {"fmt/"}),
    "dns": ({"base", "crypto"}, {"fmt/"}),
    "dht": ({"base", "crypto", "packet"}, {"fmt/"}),
    "config": ({"base", "crypto", "packet", "dns"}, {"fmt/", "toml++/"}),
    "control": ({"base", "crypto", "dns"}, {"fmt/", "nlohmann/"}),
    "gateway": ({"base", "crypto", "packet", "stream", "dns", "dht"}, {"fmt/"}),
    "stub": ({"base", "crypto", "packet", "stream", "dns"}, {"fmt/"}),
    "net": ({"base"}, {"fmt/", "asio", "ares.h", "arpa/", "linux/", "net/", "netinet/", "sys/",
                       "fcntl.h", "pthread.h", "signal.h", "time.h",
                       "unistd.h"}),
}
# dns needs a keyed hash for its tables and nothing else of crypto.
DNS_OF_CRYPTO = {"boxgram/crypto/hash.hpp"}

# What a library without IO must not import. Names as the linker knows them.
IMPURE = re.compile(
    r"^(socket|bind|listen|accept4?|connect|send|sendto|sendm?msg|recv|recvfrom|recvm?msg"
    r"|poll|ppoll|select|epoll_\w+|open(at)?(64)?|fopen(64)?|fread|fwrite|read|write|unlink|rename"
    r"|clock_gettime|gettimeofday|time|nanosleep|usleep|sleep"
    r"|rand|srand|random|getrandom|getentropy|arc4random\w*|randombytes\w*"
    r"|pthread_create|fork|getenv|secure_getenv"
    r"|_ZNSt6chrono3_V21[0-9a-z_]*clock3nowEv|_ZNSt13random_device.*|_ZNSt6thread.*"
    r"|_ZNSt\d+basic_[io]?f(stream|ilebuf).*)(@.*)?$")
PURE = ("base", "packet", "stream", "dns", "dht", "control", "gateway", "stub")

LIMITS = {".hpp": 200, ".cpp": 500}
MAX_FUNCTION = 70
MAX_COLUMNS = 100


def files(*folders, endings=(".hpp", ".cpp")):
    found = []
    for folder in folders:
        for where, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = [name for name in below if name != "corpus"]
            found += [os.path.join(where, name) for name in names if name.endswith(endings)]
    return sorted(found)


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def short(path):
    return os.path.relpath(path, ROOT)


class Layers(unittest.TestCase):
    maxDiff = None

    def test_arrows_point_down_only(self):
        wrong = []
        for layer, (below, outside) in LAYERS.items():
            for path in files(f"src/{layer}", f"include/boxgram/{layer}"):
                for line in lines_of(path):
                    match = re.match(r'#include ([<"])([^>"]+)[>"]', line)
                    if match and not self.allowed(layer, below, outside, *match.groups()):
                        wrong.append(f"{short(path)} includes {match.group(2)}")
        self.assertEqual(wrong, [])

    def allowed(self, layer, below, outside, quote, header):
        if quote == '"':
            return "/" not in header  # a private header of the same folder
        if header.startswith("boxgram/"):
            of = header.split("/")[1]
            if layer == "dns" and of == "crypto":
                return header in DNS_OF_CRYPTO
            return of == layer or of in below
        if re.fullmatch(r"[a-z_]+", header):
            return True  # the standard library; its impure parts show in the symbols
        return any(header.startswith(start) for start in outside)

    def test_every_folder_has_its_row(self):
        self.assertEqual({name for name in os.listdir(os.path.join(ROOT, "src"))
                          if os.path.isdir(os.path.join(ROOT, "src", name))}, set(LAYERS))

    def test_pure_libraries_import_nothing_impure(self):
        wrong, seen = [], set()
        for library in LIBRARIES:
            layer = re.fullmatch(r"lib(\w+)\.a", os.path.basename(library)).group(1)
            seen.add(layer)
            out = subprocess.run(["nm", "-u", "--format=posix", library], capture_output=True,
                                 text=True, check=True, timeout=60).stdout
            self.assertIn("_ZN", out, f"{library} shows no symbols")
            for line in out.splitlines():
                symbol = line.split(" ")[0]
                if IMPURE.match(symbol):
                    wrong.append(f"{layer} imports {symbol}")
        self.assertEqual(sorted(set(wrong)), [])
        self.assertEqual(seen, set(PURE))


class Habits(unittest.TestCase):
    maxDiff = None

    def test_nothing_is_left_to_do(self):
        mark = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
        wrong = [f"{short(path)}:{number}"
                 for path in files("src", "include", "tools", "tests", "fuzz", "formal",
                                   endings=(".hpp", ".cpp", ".py", ".pml", ".build"))
                 for number, line in enumerate(lines_of(path), 1) if mark.search(line)]
        self.assertEqual(wrong, [])

    def test_files_are_short(self):
        wrong = []
        for path in files("src", "include", "tools"):
            size, most = len(lines_of(path)), LIMITS[os.path.splitext(path)[1]]
            if size > most:
                wrong.append(f"{short(path)}: {size} lines, at most {most}")
        self.assertEqual(wrong, [])

    def test_functions_are_short(self):
        # A function's definition begins and ends in the first column, since namespaces do not
        # indent; so do types and tables, which are told apart by their first word.
        other = re.compile(r"^(namespace|class|struct|enum|union|extern|template <|#|//|constexpr"
                           r"|const|static const|inline const)")
        wrong = []
        for path in files("src", "include", "tools"):
            began = None
            for number, line in enumerate(lines_of(path), 1):
                if began is None and line.endswith("{") and line[:1] not in (" ", "}") and \
                        not other.match(line):
                    began = number
                elif line.startswith("}"):
                    if began is not None and number - began >= MAX_FUNCTION:
                        wrong.append(f"{short(path)}:{began}: {number - began + 1} lines")
                    began = None
        self.assertEqual(wrong, [])

    def test_lines_fit(self):
        wrong = [f"{short(path)}:{number}"
                 for path in files("src", "include", "tools", "tests", "fuzz", "formal",
                                   endings=(".hpp", ".cpp", ".py", ".pml"))
                 for number, line in enumerate(lines_of(path), 1) if len(line) > MAX_COLUMNS]
        self.assertEqual(wrong, [])

    def test_public_headers_say_what_they_are(self):
        wrong = []
        for path in files("include", endings=(".hpp",)):
            lines = lines_of(path)
            if not lines[0].startswith("// ") or "#pragma once" not in lines:
                wrong.append(short(path))
        self.assertEqual(wrong, [])

    def test_names_say_what_things_are(self):
        vague = re.compile(r"\b(class|struct) \w*(Manager|Helper|Util)\w*|\b[a-z:&*> ]+ get_\w+\(")
        wrong = [f"{short(path)}:{number}" for path in files("src", "include", "tools")
                 for number, line in enumerate(lines_of(path), 1) if vague.search(line)]
        self.assertEqual(wrong, [])

    def test_every_fuzz_target_is_built_and_has_a_corpus(self):
        with open(os.path.join(ROOT, "fuzz", "meson.build"), encoding="utf-8") as file:
            listed = set(re.findall(r"^\s*'(\w+)':", file.read(), re.MULTILINE))
        targets = {os.path.basename(path)[:-len("_fuzz.cpp")]
                   for path in files("fuzz") if path.endswith("_fuzz.cpp")}
        self.assertEqual(listed, targets)
        for target in targets:
            corpus = os.path.join(ROOT, "fuzz", "corpus", target)
            self.assertTrue(os.path.isdir(corpus) and os.listdir(corpus), f"{target}: no corpus")

    def test_every_test_file_is_built(self):
        wrong = []
        for path in files("tests", endings=("_test.cpp",)):
            with open(os.path.join(os.path.dirname(path), "meson.build"), encoding="utf-8") as file:
                if f"'{os.path.basename(path)}'" not in file.read():
                    wrong.append(short(path))
        self.assertEqual(wrong, [])

    def test_formatting(self):
        done = subprocess.run(
            ["clang-format-14", "--dry-run", "--Werror",
             *files("src", "include", "tools", "tests", "fuzz")],
            capture_output=True, text=True, timeout=120)
        wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.MULTILINE)))
        self.assertEqual([short(path) for path in wrong], [], "run clang-format-14 -i on these")
        self.assertEqual(done.returncode, 0, done.stderr[:500])


tap.run(sys.modules[__name__])
