"""What people at a terminal see of control: the prompt, top, watched lines, their files."""

import os
import pty
import re
import select
import signal
import stat
import subprocess
import unittest

import world
from world import ZONE, boxgram, wait_until


class Terminal:
    """A program that believes in its terminal."""

    def __init__(self, argv, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(env or {})
            os.environ["TERM"] = "vt100"
            os.execv(argv[0], argv)
        self.text = ""
        self.ended = None

    def read(self, seconds=0.05):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                pass  # the program has closed it

    def expect(self, pattern):
        def found():
            self.read()
            return re.search(pattern, self.text)
        try:
            match = wait_until(found, f"/{pattern}/ on the terminal")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows {self.text!r}") from None
        self.text = self.text[match.end():]
        return match

    def type(self, text):
        os.write(self.fd, text.encode())

    def exit_code(self):
        def gone():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.ended = status if pid else None
            return pid != 0
        wait_until(gone, "the program ends")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(self.ended)

    def close(self):
        if self.ended is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


class AtATerminal(unittest.TestCase):
    def setUp(self):
        self.world = world.World()
        self.addCleanup(self.world.close)
        self.state = self.world.path("gateway")
        self.key = self.world.path("ops.key")
        os.mkdir(self.state, 0o700)
        with open(os.path.join(self.state, "clients"), "w", encoding="ascii") as clients:
            clients.write(boxgram("keygen", "--client", "--out", self.key).stdout)
        server = self.world.nsd({ZONE: world.zone_text()})
        self.gateway = self.world.gateway(
            "--record", "here.example 60 A 192.0.2.5", "--workers", "1", "--upstream",
            f"127.0.0.1:{server.port}", state=self.state)

    def argv(self, *words):
        return [world.PROGRAM, "control", "--gateway", self.gateway.stamp, "--key", self.key,
                *words]

    def control(self, *words):
        return boxgram(*self.argv(*words)[1:])

    def terminal(self, *words, env=None):
        made = Terminal(self.argv(*words), env)
        self.addCleanup(made.close)
        return made

    def watch(self, *words):
        """A command that goes on, without a terminal."""
        started = subprocess.Popen(self.argv(*words), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(started.kill)
        return started

    def test_the_prompt_completes_and_remembers(self):
        home = {"XDG_STATE_HOME": self.world.path("home")}
        prompt = self.terminal(env=home)
        prompt.expect("uptime")
        prompt.expect("> ")
        prompt.type("expl\there.example\n")
        prompt.expect("answered by the local records")
        prompt.expect("> ")
        prompt.type("cache \t")
        prompt.expect(r"dump +flush +load +show +stats")
        prompt.type("stats\n")
        prompt.expect("max +64.0 MiB")
        prompt.expect("> ")
        prompt.type("cache burn\n")
        prompt.expect("> ")  # a mistake is no end
        prompt.type("quit\n")
        self.assertEqual(prompt.exit_code(), 0)
        history = os.path.join(home["XDG_STATE_HOME"], "boxgram", "control_history")
        self.assertEqual(stat.S_IMODE(os.stat(history).st_mode), 0o600)
        again = self.terminal(env=home)
        again.expect("quit leaves")
        again.type("\x10\x10\x10\x10\n")  # four commands up
        again.expect("answered by the local records")
        again.type("\x04")
        self.assertEqual(again.exit_code(), 0)

    def test_top_is_a_screen_until_q_or_an_interrupt(self):
        top = self.terminal("top")
        top.expect(r"boxgram gateway 127\.0\.0\.1:\d+ +up")
        top.expect("queries/s")
        boxgram("query", "here.example", "--gateway", self.gateway.stamp)
        top.expect(r"answers/s +zone 1")
        top.type("q")
        self.assertEqual(top.exit_code(), 0)
        interrupted = self.terminal("top")
        interrupted.expect("queries/s")
        interrupted.type("\x03")
        self.assertEqual(interrupted.exit_code(), 0)

    def test_without_a_terminal_top_is_lines_until_the_gateway_ends(self):
        top = self.watch("top")
        self.assertIn("QUERIES/S", top.stdout.readline())
        self.gateway.kill()
        out, errors = top.communicate(timeout=20)
        self.assertEqual(top.returncode, 3, errors)
        self.assertNotIn("\x1b", out)

    def test_a_session_is_killed_by_its_number(self):
        watch = self.watch("stats", "--watch", "--json")
        self.assertTrue(watch.stdout.readline().startswith("{"))
        rows = self.control("sessions", "list").stdout.splitlines()
        self.assertEqual(len(rows), 3, "a title, the other and ourselves")
        ids = [row.split()[0] for row in rows[1:]]
        codes = [self.control("sessions", "kill", number).returncode for number in ids]
        self.assertEqual(sorted(codes), [0, 1], "the session that asked for the list has ended")
        watch.communicate(timeout=10)
        self.assertIn(watch.returncode, (3, 4))

    def test_a_dump_is_for_its_owner_only(self):
        boxgram("query", f"www.{ZONE}", "--gateway", self.gateway.stamp)
        dump = self.world.path("dump")
        done = self.control("cache", "dump", dump)
        self.assertRegex(done.stdout, r"^answers written: [1-9]\d*\n$")
        self.assertEqual(stat.S_IMODE(os.stat(dump).st_mode), 0o600)
        self.assertEqual(self.control("cache", "dump").stdout, open(dump, encoding="ascii").read())
        self.assertRegex(self.control("cache", "show", f"www.{ZONE}").stdout, r"IN A \d+\.\d+")

    def test_help_and_mistakes_need_no_gateway(self):
        self.assertIn("cache flush", boxgram("control", "help").stdout)
        for words in (("telephone",), ("cache",), ("cache", "show"), ("sessions", "kill", "x")):
            done = boxgram("control", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("hint", done.stderr)
