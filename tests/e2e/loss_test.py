"""A network between stub and gateway that loses datagrams, is cut, and changes its addresses."""

import json
import os
import statistics
import subprocess
import unittest

import message
import world
from network import Network, sh
from world import ZONE

HERE = os.path.dirname(os.path.abspath(__file__))


class Loss(unittest.TestCase):
    def setUp(self):
        self.network = Network()
        self.addCleanup(self.network.close)
        self.world = w = world.World()
        self.addCleanup(w.close)
        far, near = self.network.inside(self.network.far), self.network.inside(self.network.near)
        w.nsd({ZONE: world.zone_text()}, host="127.0.0.53", prefix=far)
        self.gateway = w.gateway("--upstream", "127.0.0.53", listen="10.77.0.2:5443", prefix=far)
        self.stub = w.stub([self.gateway.stamp], "--cache", "off", prefix=near)

    def ask(self, count, parallel):
        """Asks inside the near namespace; a list of [response code or null, seconds]."""
        done = subprocess.run(
            [*self.network.inside(self.network.near), "/usr/bin/python3",
             os.path.join(HERE, "asker.py"), str(self.stub.port), str(count), str(parallel)],
            capture_output=True, text=True, check=True, timeout=120)
        return json.loads(done.stdout)

    def test_every_query_is_answered_though_a_third_is_lost(self):
        self.network.lose(30)
        results = self.ask(400, 8)
        self.assertEqual(len(results), 400)
        codes = [code for code, _ in results]
        self.assertNotIn(None, codes, "a query got no answer")
        self.assertLess(max(took for _, took in results), 3.2)
        # Half of all round trips fail; what is left after six tries is below two in a hundred.
        self.assertGreaterEqual(codes.count(message.NOERROR), 392, codes)

    def test_a_lost_datagram_costs_at_most_400_ms_at_the_median(self):
        calm = statistics.median(took for _, took in self.ask(50, 1))
        self.network.lose(30)
        results = self.ask(200, 1)
        hurt = [took for _, took in results if took > calm + 0.03]
        self.assertGreater(len(hurt), 40, "the rules lost nothing")
        self.assertLess(statistics.median(hurt) - calm, 0.4 + 0.05)

    def test_cable_that_is_cut_and_mended(self):
        self.assertEqual(self.ask(1, 1)[0][0], message.NOERROR)
        sh("ip", "-n", self.network.near, "link", "set", "cable", "down")
        code, took = self.ask(1, 1)[0]
        self.assertEqual(code, message.SERVFAIL)
        self.assertLess(took, 3.2)
        sh("ip", "-n", self.network.near, "link", "set", "cable", "up")
        world.wait_until(lambda: self.ask(1, 1)[0][0] == message.NOERROR, "it is mended")

    def test_address_of_the_stub_changes(self):
        self.assertEqual(self.ask(1, 1)[0][0], message.NOERROR)
        sh("ip", "-n", self.network.near, "address", "flush", "dev", "cable")
        self.assertEqual(self.ask(1, 1)[0][0], message.SERVFAIL)
        sh("ip", "-n", self.network.near, "address", "add", "10.77.0.9/24", "dev", "cable")
        world.wait_until(lambda: self.ask(1, 1)[0][0] == message.NOERROR, "it is back")
