"""What the tests of the DHT have in common: nodes of ours in a network of loopback alone."""

import json
import re
import unittest

import namespace
import torrent
import world
from world import boxgram

INFOHASH = "0123456789abcdef0123456789abcdef01234567"


def setUpModule():
    namespace.enter()


def lines(done):
    """What a command said with --json."""
    return [json.loads(line) for line in done.stdout.splitlines()]


class Dht(unittest.TestCase):
    """All tests of a class share its world: nodes take their time to meet."""

    @classmethod
    def setUpClass(cls):
        cls.world = world.World()
        cls.addClassCleanup(cls.world.close)

    @classmethod
    def node(cls, *options, state=None, ready=True):
        """A running node; `.stamp` if it is a sealed one, `.id` of the first overlay."""
        state = state or cls.world.path(f"dht-{len(cls.world.processes)}")
        process = cls.world.start("dht", [world.PROGRAM, "dht", "node", "--state-dir", state,
                                           *options])
        process.state = state
        if ready:
            cls.world.wait_line(process, r"dht: serving")
            text = process.text()
            stamp = re.search(r"^boxgram://\S+", text, re.MULTILINE)
            process.stamp = stamp and stamp.group(0)
            process.id = re.search(r"^dht: \w+ node (\w{40}) ", text, re.MULTILINE).group(1)
        return process

    @classmethod
    def sealed(cls, host, *options, **more):
        port = world.free_port(host)
        process = cls.node("--listen", f"{host}:{port}", *options, **more)
        process.address, process.name_port = (host, port), f"{host}:{port}"
        return process

    @classmethod
    def mainline(cls, host, *options, **more):
        port = world.free_port(host)
        process = cls.node("--mainline", f"{host}:{port}", *options, **more)
        process.address, process.name_port = (host, port), f"{host}:{port}"
        return process

    def dht(self, *arguments, code=0):
        done = boxgram("dht", *arguments, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    @classmethod
    def session(cls, host, routers=()):
        session = torrent.Session(host, routers=routers)
        cls.addClassCleanup(session.close)
        return session

    @classmethod
    def known(cls, entry):
        """How many nodes a lookup of an id reaches."""
        done = boxgram("dht", "find-node", INFOHASH, "--bootstrap", entry, "--json", timeout=60)
        return lines(done)[-1]["answered"] if done.returncode == 0 else 0
