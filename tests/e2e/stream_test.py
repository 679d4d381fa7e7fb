"""Answers that fit no datagram: they come whole, by streams that die, hang and are firewalled."""

import os
import re
import socket
import statistics
import struct
import threading
import time
import unittest

import message
import world
from message import Answer, ask_tcp, ask_udp, query
from network import Network
from world import ZONE, boxgram, dig, run, wait_until

SIZES = (1200, 4000, 9000, 64000)


def strings_of(size):
    """TXT strings of `size` bytes in all, which say their size everywhere."""
    strings, left = [], size
    while left > 0:
        length = min(left - 1, 255)
        strings.append((f"{size:05d}" * 52)[:length])
        left -= 1 + length
    return strings


def rdata_of(size):
    return b"".join(bytes([len(s)]) + s.encode() for s in strings_of(size))


def record(owner, size):
    return f"{owner} TXT " + " ".join(f'"{s}"' for s in strings_of(size)) + "\n"


def sized_zone():
    """sSIZE, and wildcards *.wSIZE so that no cache knows the name."""
    return world.zone_text("".join(record(f"s{size}", size) + record(f"*.w{size}", size)
                                   for size in SIZES))


def without_ttl(answer):
    """All that must be the same, whoever was asked: name, type and data of each record."""
    return answer.question, answer.rcode, [[(name, rtype, rdata) for name, rtype, _, rdata in part]
                                           for part in answer.sections]


class Streams(unittest.TestCase):
    def setUp(self):
        self.world = w = world.World()
        self.addCleanup(w.close)
        self.nsd = w.nsd({ZONE: sized_zone()})
        self.authority = ("127.0.0.1", self.nsd.port)

    def gateway(self, **options):
        return self.world.gateway("--upstream", f"127.0.0.1:{self.nsd.port}", **options)

    def test_dig_gets_every_size_whole(self):
        stub = self.world.stub([self.gateway().stamp])
        for size in SIZES:
            out = dig(stub.address, f"s{size}.{ZONE}", "TXT")
            self.assertIn("Truncated, retrying in TCP mode", out, size)
            self.assertIn("status: NOERROR", out, size)
            self.assertIn('"' + '" "'.join(strings_of(size)) + '"', out, size)

    def test_it_is_what_the_authority_says(self):
        for cache in ("on", "off"):
            stub = self.world.stub([self.gateway().stamp], "--cache", cache)
            for size in SIZES:
                ask = query(f"s{size}.{ZONE}", "TXT")
                cut, _ = ask_udp(stub.address, ask)
                self.assertTrue(cut.tc)
                self.assertEqual((cut.rcode, cut.sections[0]), (message.NOERROR, []))
                whole, = ask_tcp(stub.address, [ask])
                direct, = ask_tcp(self.authority, [ask])
                self.assertEqual(whole.rdata("TXT"), [rdata_of(size)])
                self.assertEqual(without_ttl(whole), without_ttl(direct))

    def test_a_thousand_pipelined_queries_of_mixed_sizes(self):
        stub = self.world.stub([self.gateway().stamp], "--cache", "off")
        sizes = [SIZES[i % 3] if i % 2 else 0 for i in range(1000)]
        sizes[500] = 64000
        asks = [query(f"p{i}.w{size}.{ZONE}" if size else f"p{i}.{ZONE}",
                      "TXT" if size else "A", ident=i) for i, size in enumerate(sizes)]
        answers = ask_tcp(stub.address, asks, timeout=20)
        self.assertEqual(sorted(a.id for a in answers), list(range(1000)))
        for answer in answers:
            self.assertEqual(answer.rcode, message.NOERROR)
            size = sizes[answer.id]
            expected = rdata_of(size) if size else bytes([192, 0, 2, 99])
            self.assertEqual(answer.rdata("TXT" if size else "A"), [expected])
        self.assertNotEqual([a.id for a in answers], list(range(1000)), "one waits for the other")

    def test_large_answers_under_full_load(self):
        """More is under way than the gateway holds unwritten: it stops to read, and goes on."""
        stub = self.world.stub([self.gateway().stamp], "--cache", "off")
        names = self.world.write("names", "".join(f"l{i}.w9000.{ZONE} TXT\n" for i in range(500)))
        out = run("dnsperf", "-s", stub.address[0], "-p", str(stub.port), "-d", names, "-l", "3",
                  "-m", "tcp", "-q", "100", "-c", "2")
        self.assertEqual(re.search(r"Queries lost:\s+(\d+)", out).group(1), "0", out)
        self.assertGreater(int(re.search(r"NOERROR (\d+) \(100.00%\)", out).group(1)), 1000, out)

    def test_gateway_killed_in_the_middle(self):
        gateway = self.gateway()
        stub = self.world.stub([gateway.stamp], "--cache", "off")
        results, count = {}, 600

        def receive(sock):
            stream = sock.makefile("rb")
            while len(results) < count:
                answer = Answer(stream.read(int.from_bytes(stream.read(2), "big")))
                results[answer.id] = (time.monotonic(), answer)

        with socket.create_connection(stub.address, timeout=10) as sock:
            reader = threading.Thread(target=receive, args=(sock,), daemon=True)
            reader.start()
            asked = {}
            for i in range(count):
                if i == 200:
                    gateway.kill()
                if i == 300:
                    self.world.gateway("--upstream", f"127.0.0.1:{self.nsd.port}",
                                       listen=gateway.listen, state=gateway.state)
                size = SIZES[i % 3]
                ask = query(f"k{i}.w{size}.{ZONE}", "TXT", ident=i)
                asked[i] = time.monotonic()
                sock.sendall(struct.pack("!H", len(ask)) + ask)
                time.sleep(0.005)
            reader.join(10)
        self.assertEqual(sorted(results), list(range(count)), "a query did not end")
        for i, (at, answer) in results.items():
            self.assertLess(at - asked[i], 3.3)
            if answer.rcode == message.NOERROR:
                self.assertEqual(answer.rdata("TXT"), [rdata_of(SIZES[i % 3])])
            else:
                self.assertEqual(answer.rcode, message.SERVFAIL)
                self.assertTrue(answer.ede)
        good = [i for i, (_, answer) in results.items() if answer.rcode == message.NOERROR]
        self.assertLessEqual(set(range(0, 190)), set(good), "failed before the crash")
        self.assertLessEqual(set(range(500, count)), set(good), "not answered again")

    def test_a_client_that_reads_one_byte_a_second(self):
        """It asks for 16 MB and is in nobody's way."""
        stub = self.world.stub([self.gateway().stamp])
        self.timings(stub, "warm")
        before, memory_before = self.timings(stub, "before"), memory_kb(stub)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(stub.address)
            slow.settimeout(0.01)
            ask = query(f"s64000.{ZONE}", "TXT")
            framed = struct.pack("!H", len(ask)) + ask
            ended, worst = threading.Event(), [0]

            def dribble():
                while not ended.wait(1):
                    slow.recv(1)

            reader = threading.Thread(target=dribble, daemon=True)
            reader.start()
            try:
                for _ in range(256):
                    slow.sendall(framed)
            except TimeoutError:
                pass  # the stub has stopped to read it
            during = self.timings(stub, "during")
            worst[0] = memory_kb(stub)
            time.sleep(2)
            during += self.timings(stub, "later")
            worst[0] = max(worst[0], memory_kb(stub))
            ended.set()
            reader.join(5)
        self.assertLess(statistics.median(during), 3 * statistics.median(before) + 0.005)
        self.assertLess(max(during), 0.5)
        self.assertLess(worst[0] - memory_before, 8 * 1024, "kB more than before")

    def timings(self, stub, label):
        """Seconds for each of 40 answers of 9,000 bytes that no cache knows."""
        took = []
        for i in range(40):
            began = time.monotonic()
            answer, = ask_tcp(stub.address, [query(f"{label}{i}.w9000.{ZONE}", "TXT")])
            took.append(time.monotonic() - began)
            self.assertEqual(answer.rdata("TXT"), [rdata_of(9000)])
        return took

    def test_query_goes_on_over_the_stream(self):
        gateway = self.gateway()
        done = boxgram("query", f"s9000.{ZONE}", "TXT", "--gateway", gateway.stamp, "--trace")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"' + strings_of(9000)[0] + '"', done.stdout)
        for step in ("-> HELLO", "<- COOKIE", "-> VOUCH", "<- records"):
            self.assertIn(step, done.stdout)
        self.assertNotIn("HELLO", boxgram("query", f"www.{ZONE}", "--gateway", gateway.stamp,
                                          "--trace").stdout)

    def test_gateway_without_streams(self):
        gateway = self.world.gateway("--upstream", f"127.0.0.1:{self.nsd.port}", "--stream", "off")
        stub = self.world.stub([gateway.stamp])
        answer, took = ask_udp(stub.address, query(f"s4000.{ZONE}", "TXT"))
        self.assertTrue(answer.tc)
        self.assertLess(took, 0.5)
        answer, = ask_tcp(stub.address, [query(f"s4000.{ZONE}", "TXT")])
        self.assertEqual((answer.rcode, answer.ede), (message.SERVFAIL, [0]))

    def test_a_draining_gateway_hands_its_streams_over(self):
        first, second = self.gateway(), self.gateway()
        stub = self.world.stub([first.stamp, second.stamp], "--cache", "off")
        for i in range(4):
            self.assertEqual(ask_tcp(stub.address, [query(f"d{i}.w4000.{ZONE}", "TXT")])[0].rdata(
                "TXT"), [rdata_of(4000)])
        first.signal(world.signal.SIGTERM)
        for i in range(20):
            answer, = ask_tcp(stub.address, [query(f"e{i}.w4000.{ZONE}", "TXT")])
            self.assertEqual(answer.rdata("TXT"), [rdata_of(4000)])
        wait_until(lambda: not first.running(), "the first gateway ends")

    def test_a_reloaded_stub_goes_on(self):
        gateway = self.gateway()
        path = self.world.write("s.toml", "[cache]\nenabled = false\n")
        stub = self.world.stub([gateway.stamp], "--config", path)
        asks = [query(f"r{i}.w9000.{ZONE}", "TXT", ident=i) for i in range(200)]
        with socket.create_connection(stub.address, timeout=5) as sock:
            for number, ask in enumerate(asks):
                sock.sendall(struct.pack("!H", len(ask)) + ask)
                if number % 50 == 25:
                    stub.signal(world.SIGHUP)
            stream, seen = sock.makefile("rb"), set()
            for _ in asks:
                answer = Answer(stream.read(int.from_bytes(stream.read(2), "big")))
                self.assertEqual(answer.rdata("TXT"), [rdata_of(9000)])
                seen.add(answer.id)
        self.assertEqual(seen, set(range(200)))


def memory_kb(process):
    with open(f"/proc/{process.popen.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


class Firewalls(unittest.TestCase):
    """Between stub and gateway stands a network that carries UDP and does not like TCP."""

    def setUp(self):
        self.network = network = Network()
        self.addCleanup(network.close)
        self.world = w = world.World()
        self.addCleanup(w.close)
        far, near = network.inside(network.far), network.inside(network.near)
        w.nsd({ZONE: sized_zone()}, host="127.0.0.53", prefix=far)
        gateway = w.gateway("--upstream", "127.0.0.53", listen="10.77.0.2:5443", prefix=far)
        self.stub = w.stub([gateway.stamp], "--cache", "off", prefix=near)
        self.near = near

    def dig(self, name, *options):
        """dig inside the near namespace: its output, and the seconds that the answer took."""
        out = run(*self.near, "dig", "@127.0.0.1", "-p", str(self.stub.port), "+tries=1", "+time=4",
                  name, *options)
        return out, int(re.search(r"Query time: (\d+)", out).group(1)) / 1000

    def assert_served(self, number):
        out, took = self.dig(f"small{number}.{ZONE}")
        self.assertIn("192.0.2.99", out)
        self.assertLess(took, 0.2)

    def assert_fails_well(self, name):
        for options in (("TXT", "+tcp"), ("TXT",)):
            out, took = self.dig(name, *options)
            self.assertIn("status: SERVFAIL", out)
            self.assertRegex(out, "EDE: 23 .*no stream to the gateway carried it")
            self.assertLess(took, 3.2)

    def check(self, verdict):
        self.network.filter_tcp(verdict)
        self.assert_served(1)
        slow = threading.Thread(target=self.dig, args=(f"a.w4000.{ZONE}", "TXT", "+tcp"))
        slow.start()
        for number in range(2, 12):
            self.assert_served(number)
        slow.join()
        self.assert_fails_well(f"b.w4000.{ZONE}")
        self.assert_served(20)
        self.network.filter_tcp("accept")
        out, _ = self.dig(f"c.w4000.{ZONE}", "TXT", "+tcp")
        self.assertIn("status: NOERROR", out)

    def test_refused(self):
        self.check("reject with tcp reset")

    def test_silently_dropped(self):
        self.check("drop")

    def test_a_connection_that_is_dropped_silently_is_replaced(self):
        self.assertIn("status: NOERROR", self.dig(f"a.w4000.{ZONE}", "TXT", "+tcp")[0])
        ports = re.findall(r"10\.77\.0\.1:(\d+)\s+10\.77\.0\.2:5443", run(*self.near, "ss", "-Htn"))
        self.assertEqual(len(ports), 1)
        self.network.filter_tcp("drop", f"tcp sport {ports[0]}")
        out, took = self.dig(f"b.w4000.{ZONE}", "TXT", "+tcp")
        self.assertIn("status: NOERROR", out, "the connection was not given up")
        self.assertLess(took, 3)
        out, took = self.dig(f"c.w4000.{ZONE}", "TXT", "+tcp")
        self.assertIn("status: NOERROR", out)
        self.assertLess(took, 0.5)
