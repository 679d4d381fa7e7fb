"""Dead gateways, dead upstreams, crashes under load: every query is answered, none wrongly."""

import re
import socket
import statistics
import threading
import time
import unittest

import message
import world
from message import ask_udp, query
from world import ZONE, wait_until


class Load(threading.Thread):
    """Asks steadily for names whose answers are known; keeps what came back and how long it
    took."""

    def __init__(self, address, rate=50):
        super().__init__(daemon=True)
        self.address, self.rate = address, rate
        self.ended = threading.Event()
        self.results, self.wrong, self.asked = [], [], 0
        self.askers = []

    def ask(self, number):
        name = f"host{number}.{ZONE}"
        answer, took = ask_udp(self.address, query(name))
        self.results.append((answer.rcode if answer else None, took))
        if answer and (answer.question[0] != name + "." or
                       (answer.rcode == message.NOERROR and
                        answer.rdata("A") != [bytes([192, 0, 2, 99])])):
            self.wrong.append(name)

    def run(self):
        began = time.monotonic()
        while not self.ended.is_set():
            asker = threading.Thread(target=self.ask, args=(self.asked,), daemon=True)
            asker.start()
            self.askers.append(asker)
            self.asked += 1
            time.sleep(max(0, began + self.asked / self.rate - time.monotonic()))

    def finish(self):
        self.ended.set()
        self.join()
        for asker in self.askers:
            asker.join(10)
        return self


class Faults(unittest.TestCase):
    def setUp(self):
        self.world = w = world.World()
        self.addCleanup(w.close)
        self.nsd = w.nsd({ZONE: world.zone_text()})
        self.upstream = f"127.0.0.1:{self.nsd.port}"

    def dnsperf(self, address, seconds, rate):
        names = "\n".join(f"perf{i}.{ZONE} A" for i in range(2000))
        return self.world.start("dnsperf", [
            "dnsperf", "-s", address[0], "-p", str(address[1]), "-d",
            self.world.write("names", names), "-l", str(seconds), "-Q", str(rate), "-t", "4",
            "-q", "3000", "-b", "4096"])

    def report(self, dnsperf):
        """How many were lost, and how many had each response code."""
        dnsperf.popen.wait(40)
        text = dnsperf.text()
        lost = int(re.search(r"Queries lost:\s+(\d+)", text).group(1))
        sent = int(re.search(r"Queries sent:\s+(\d+)", text).group(1))
        codes = dict(re.findall(r"(NOERROR|SERVFAIL|NXDOMAIN|REFUSED|FORMERR) (\d+)", text))
        return sent, lost, {name: int(count) for name, count in codes.items()}

    def test_crash_of_the_only_gateway_under_load(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([gateway.stamp], "--cache", "off")
        perf, load = self.dnsperf(stub.address, 6, 1000), Load(stub.address)
        load.start()
        time.sleep(2)
        gateway.kill()
        time.sleep(0.5)
        self.world.gateway("--upstream", self.upstream, listen=gateway.listen, state=gateway.state)
        sent, lost, codes = self.report(perf)
        load.finish()
        self.assertGreater(sent, 5000)
        self.assertEqual(lost, 0)
        self.assertLessEqual(set(codes), {"NOERROR", "SERVFAIL"})
        # It was away for half a second; retransmissions carry all queries over that.
        self.assertGreaterEqual(codes["NOERROR"], 0.99 * sent, codes)
        self.assertEqual(load.wrong, [])
        self.assertNotIn(None, [rcode for rcode, _ in load.results])
        self.assertLess(max(took for _, took in load.results), 3.2)

    def test_crash_of_one_of_two_gateways_under_load(self):
        first = self.world.gateway("--upstream", self.upstream)
        second = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([first.stamp, second.stamp], "--cache", "off")
        perf, load = self.dnsperf(stub.address, 6, 1000), Load(stub.address)
        load.start()
        time.sleep(2)
        first.kill()
        sent, lost, codes = self.report(perf)
        load.finish()
        self.assertEqual((lost, codes), (0, {"NOERROR": sent}))
        self.assertEqual(load.wrong, [])
        self.assertEqual({rcode for rcode, _ in load.results}, {message.NOERROR})

    def test_one_dead_gateway_is_not_noticed(self):
        """It is dead from the start and listed first."""
        dead = self.world.gateway("--upstream", self.upstream)
        dead.kill()
        alive = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([dead.stamp, alive.stamp], "--cache", "off")
        times = []
        for i in range(50):
            answer, took = ask_udp(stub.address, query(f"h{i}.{ZONE}"))
            self.assertEqual(answer.rcode, message.NOERROR)
            times.append(took)
        self.assertLess(max(times), 1.0)
        self.assertLess(statistics.median(times), 0.05)

    def test_two_stubs_two_upstreams_one_black_holed(self):
        gateway = self.world.gateway("--upstream", f"127.0.0.1:{self.world.black_hole()}",
                                     "--upstream", self.upstream)
        loads = [Load(self.world.stub([gateway.stamp], "--cache", "off").address)
                 for _ in range(2)]
        for load in loads:
            load.start()
        time.sleep(5)
        for load in loads:
            load.finish()
            self.assertGreater(len(load.results), 200)
            self.assertEqual(load.wrong, [])
            self.assertEqual({rcode for rcode, _ in load.results}, {message.NOERROR})
            times = sorted(took for _, took in load.results)
            self.assertLess(statistics.median(times), 0.05)
            self.assertLess(times[int(len(times) * 0.98)], 1.0)

    def test_upstream_that_answers_wrongly_is_ignored(self):
        """It answers at once, but another question, and from a wrong ID."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            liar.bind(("127.0.0.1", 0))
            liar.settimeout(0.1)
            ended = threading.Event()

            def lie():
                while not ended.is_set():
                    try:
                        asked, who = liar.recvfrom(4096)
                    except TimeoutError:
                        continue
                    wrong_id = bytes([asked[0] ^ 1]) + asked[1:2] + b"\x81\x80" + asked[4:]
                    other = query("other.example", ident=int.from_bytes(asked[:2], "big"))
                    liar.sendto(wrong_id, who)
                    liar.sendto(other[:2] + b"\x81\x80" + other[4:], who)

            thread = threading.Thread(target=lie, daemon=True)
            thread.start()
            gateway = self.world.gateway("--upstream", f"127.0.0.1:{liar.getsockname()[1]}",
                                         "--upstream", self.upstream)
            stub = self.world.stub([gateway.stamp], "--cache", "off")
            for i in range(20):
                answer, _ = ask_udp(stub.address, query(f"l{i}.{ZONE}"))
                self.assertEqual(answer.rcode, message.NOERROR)
                self.assertEqual(answer.rdata("A"), [bytes([192, 0, 2, 99])])
            ended.set()
            thread.join()

    def test_all_upstreams_dead(self):
        gateway = self.world.gateway("--upstream", f"127.0.0.1:{self.world.black_hole()}")
        stub = self.world.stub([gateway.stamp])
        answer, took = ask_udp(stub.address, query(f"www.{ZONE}"))
        self.assertEqual(answer.rcode, message.SERVFAIL)
        self.assertTrue(answer.ede)
        self.assertLess(took, 3.2)

    def test_stub_starts_before_its_gateway(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        gateway.kill()
        stub = self.world.stub([gateway.stamp])
        answer, took = ask_udp(stub.address, query(f"www.{ZONE}"))
        self.assertEqual(answer.rcode, message.SERVFAIL)
        self.assertLess(took, 3.2)
        self.world.gateway("--upstream", self.upstream, listen=gateway.listen, state=gateway.state)
        wait_until(lambda: ask_udp(stub.address, query(f"mail.{ZONE}", "MX"))[0].rcode ==
                   message.NOERROR, "the stub finds the gateway")

    def test_expired_answers_serve_while_no_upstream_does(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([gateway.stamp], "--cache", "off")
        self.assertEqual(ask_udp(stub.address, query(f"short.{ZONE}"))[0].rcode, message.NOERROR)
        self.nsd.kill()
        time.sleep(5.2)
        answer, took = ask_udp(stub.address, query(f"short.{ZONE}"))
        self.assertEqual(answer.rdata("A"), [bytes([192, 0, 2, 81])])
        self.assertIn(3, answer.ede)
        self.assertLess(took, 2.5)
