"""What an observer between stub and gateway sees."""

import os
import socket
import unittest

import message
import world
from capture import Capture
from message import ask_tcp, ask_udp, query
from world import ZONE

SIZES = {256, 512, 768, 1024, 1232}
# Retry, reset, one to three certificates: shorter than what they answer.
SHORTER = {116, 28, 140, 264, 388}


class Wire(unittest.TestCase):
    def setUp(self):
        self.world = w = world.World()
        self.addCleanup(w.close)
        self.nsd = w.nsd({ZONE: world.zone_text("*.large TXT" + f' "{"secret" * 40}"' * 10)})
        self.gateway = w.gateway("--upstream", f"127.0.0.1:{self.nsd.port}")

    def observe(self, *options):
        """Asks 50 names through a stub; the datagrams of the plain and of the sealed hop."""
        stub = self.world.stub([self.gateway.stamp], "--cache", "off", *options)
        names = [f"canary{i}.{ZONE}" for i in range(50)]
        with Capture([stub.port, self.gateway.port, self.nsd.port]) as seen:
            for name in names:
                answer, _ = ask_udp(stub.address, query(name))
                self.assertEqual(answer.rcode, message.NOERROR)
        plain = [d for d in seen.datagrams if stub.port in d[:2]]
        sealed = [d for d in seen.datagrams if self.gateway.port in d[:2]]
        return plain, sealed

    def assert_sealed(self, plain, sealed):
        # The plain hop shows what the search below would find, were it there.
        self.assertTrue(any(b"canary" in payload for _, _, payload in plain))
        self.assertGreaterEqual(len(sealed), 100)
        for _, _, payload in sealed:
            lowered = payload.lower()
            # Six bytes at least: three of them turn up in random ones in one run of forty.
            for part in (b"canary", b"example", bytes([0, 4, 192, 0, 2, 99])):
                self.assertNotIn(part, lowered)
            self.assertEqual(payload[:3], b"bg\x01")

    def test_no_queried_name_occurs_in_the_sealed_hop(self):
        self.assert_sealed(*self.observe())

    def test_no_queried_name_occurs_with_a_key_for_each_query(self):
        plain, sealed = self.observe("--key-per-query", "on")
        self.assert_sealed(plain, sealed)
        keys = [payload[12:44] for _, target, payload in sealed
                if target == self.gateway.port and payload[3] in (1, 2)]
        self.assertGreaterEqual(len(set(keys)), 50)

    def test_no_queried_name_occurs_in_a_stream(self):
        """Answers that fit no datagram; the plain hop, over TCP too, shows the names."""
        stub = self.world.stub([self.gateway.stamp], "--cache", "off")
        with Capture([stub.port, self.gateway.port]) as seen:
            asks = [query(f"canary{i}.large.{ZONE}", "TXT", ident=i) for i in range(50)]
            for answer in ask_tcp(stub.address, asks):
                self.assertIn(b"secret", answer.rdata("TXT")[0])
        self.assertTrue(any(b"canary" in p for s, t, p in seen.segments if stub.port in (s, t)))
        sealed = [b"".join(p for _, target, p in seen.segments if target == self.gateway.port),
                  b"".join(p for source, _, p in seen.segments if source == self.gateway.port)]
        self.assertGreater(len(sealed[1]), 50 * 2000)
        for direction in sealed:
            for part in (b"canary", b"example", b"secret"):
                self.assertNotIn(part, direction.lower())

    def test_sizes_are_classes_and_replies_are_as_long_as_requests(self):
        _, sealed = self.observe()
        requests = [len(p) for _, target, p in sealed if target == self.gateway.port]
        replies = [len(p) for source, _, p in sealed if source == self.gateway.port]
        self.assertLessEqual(set(requests), SIZES)
        self.assertLessEqual(set(replies), SIZES | SHORTER)
        self.assertLessEqual(len(replies), len(requests))
        self.assertLessEqual(sum(replies), sum(requests))

    def test_what_is_not_ours_gets_no_byte_back(self):
        junk = [b"", b"x", os.urandom(512), b"bg\x01\x01" + os.urandom(508),
                b"bg\x02\x01" + os.urandom(508), b"bg\x01\x99" + os.urandom(508),
                query(f"www.{ZONE}")]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", self.gateway.port))
            for datagram in junk:
                sock.send(datagram)
            sock.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                sock.recv(4096)
        self.assertTrue(self.gateway.running())

    def test_nothing_plain_leaves_a_stub_whose_gateway_is_gone(self):
        stub = self.world.stub([self.gateway.stamp], "--cache", "off")
        self.gateway.kill()
        with Capture([self.gateway.port, self.nsd.port, 53, 853, 5353]) as seen:
            answer, took = ask_udp(stub.address, query(f"canary.{ZONE}"))
        self.assertEqual(answer.rcode, message.SERVFAIL)
        self.assertLess(took, 3.2)
        self.assertTrue(seen.datagrams, "the stub did not even try")
        for _, _, payload in seen.datagrams:
            self.assertNotIn(b"canary", payload)
