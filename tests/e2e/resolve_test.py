"""Names come through the sealed path whole, by every way a client may ask."""

import os
import subprocess
import time
import unittest

import message
import world
from message import ask_tcp, ask_udp, query
from world import ZONE, dig, kdig


def text_of(size):
    """TXT rdata of exactly `size` bytes that says its own size everywhere."""
    strings, left = [], size
    while left > 0:
        length = min(left - 1, 255)
        strings.append((f"{size:04d}" * 64)[:length])
        left -= 1 + length
    return strings


class Resolve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = w = world.World()
        cls.addClassCleanup(w.close)
        big = "\n".join(f't{size:04d} TXT ' + " ".join(f'"{s}"' for s in text_of(size))
                        for size in range(1, 4097))
        many = "\n".join(f"many A 198.51.100.{i}" for i in range(1, 41))
        nsd = w.nsd({ZONE: world.zone_text(big + "\n" + many)})
        cls.gateway = w.gateway("--upstream", f"127.0.0.1:{nsd.port}", "--cache", "on")
        port = world.free_port()
        cls.stub = w.stub([cls.gateway.stamp], "--listen", f"[::1]:{port}", "--cache", "off")
        cls.address = cls.stub.address
        cls.address6 = ("::1", port)

    def test_dig_over_udp(self):
        self.assertIn("192.0.2.80", dig(self.address, f"www.{ZONE}", "+short"))

    def test_dig_over_tcp(self):
        self.assertIn("192.0.2.80", dig(self.address, f"www.{ZONE}", "+tcp", "+short"))

    def test_dig_over_ipv6(self):
        self.assertIn("2001:db8::80", dig(self.address6, f"www.{ZONE}", "AAAA", "+short"))
        self.assertIn("2001:db8::80", dig(self.address6, f"www.{ZONE}", "AAAA", "+tcp", "+short"))

    def test_kdig_over_udp_and_tcp(self):
        self.assertIn("192.0.2.80", kdig(self.address, f"www.{ZONE}"))
        self.assertIn("192.0.2.80", kdig(self.address, f"www.{ZONE}", "+tcp"))
        self.assertIn("status: NOERROR", kdig(self.address, f"www.{ZONE}", "+dnssec"))

    def test_dig_with_edns_and_cookie_and_without(self):
        self.assertIn("EDNS: version: 0", dig(self.address, f"www.{ZONE}", "+edns=0", "+cookie"))
        self.assertNotIn("EDNS:", dig(self.address, f"www.{ZONE}", "+noedns"))
        self.assertIn("BADVERS", dig(self.address, f"www.{ZONE}", "+edns=1", "+noednsneg"))

    def test_cname_is_followed_by_the_upstream(self):
        self.assertIn("192.0.2.80", dig(self.address, f"alias.{ZONE}", "+short"))

    def test_name_that_does_not_exist(self):
        out = dig(self.address, f"a.www.{ZONE}")
        self.assertIn("NXDOMAIN", out)
        self.assertIn("SOA", out)

    def test_type_that_does_not_exist(self):
        answer, _ = ask_udp(self.address, query(f"mail.{ZONE}", "A"))
        self.assertEqual((answer.rcode, answer.sections[0]), (message.NOERROR, []))
        self.assertEqual([r[1] for r in answer.sections[1]], [message.TYPES["SOA"]])

    def test_flags_do_and_cd_come_back(self):
        answer, _ = ask_udp(self.address, query(f"www.{ZONE}", do=True, cd=True))
        self.assertTrue(answer.cd)
        self.assertTrue(answer.ra)
        self.assertFalse(answer.ad)

    def test_case_of_the_question_comes_back(self):
        self.assertIn(f"wWw.{ZONE}.", dig(self.address, f"wWw.{ZONE}", "+noall", "+question"))

    def test_ttl_counts_down_from_the_gateways_cache(self):
        first, _ = ask_udp(self.address, query(f"short.{ZONE}"))
        time.sleep(2.1)
        second, _ = ask_udp(self.address, query(f"short.{ZONE}"))
        self.assertLessEqual(first.sections[0][0][2], 5)
        self.assertIn(first.sections[0][0][2] - second.sections[0][0][2], (2, 3))

    def test_many_questions_on_one_tcp_connection(self):
        names = [f"n{i}.{ZONE}" for i in range(100)]
        answers = ask_tcp(self.address, [query(n, ident=i) for i, n in enumerate(names)])
        self.assertEqual(sorted(a.id for a in answers), list(range(100)))
        for answer in answers:
            self.assertEqual(answer.question[0], names[answer.id] + ".")
            self.assertEqual(answer.rdata("A"), [bytes([192, 0, 2, 99])])

    def test_malformed_query_gets_formerr(self):
        answer, _ = ask_udp(self.address, query(f"www.{ZONE}")[:-3])
        self.assertEqual(answer.rcode, message.FORMERR)

    def test_answer_that_does_not_fit_the_clients_buffer_is_truncated(self):
        answer, _ = ask_udp(self.address, query(f"many.{ZONE}", edns=0))
        self.assertTrue(answer.tc)
        self.assertLessEqual(answer.size, 512)
        whole, = ask_tcp(self.address, [query(f"many.{ZONE}", edns=0)])
        self.assertEqual(len(whole.rdata("A")), 40)

    def test_answers_of_every_size(self):
        """Each is whole, or is said not to be and is whole over TCP."""
        sizes = {"whole": 0, "truncated": 0}
        for size in range(1, 4097):
            name = f"t{size:04d}.{ZONE}"
            answer, took = ask_udp(self.address, query(name, "TXT", edns=4096))
            self.assertIsNotNone(answer, f"no answer for size {size}")
            self.assertEqual(answer.question[0], name + ".")
            if not answer.tc and answer.rcode == message.NOERROR:
                self.assertEqual(answer.rdata("TXT"), [rdata_of(size)], size)
                sizes["whole"] += 1
                continue
            self.assertTrue(answer.tc, f"size {size}: {answer.rcode} after {took:.3f} s")
            sizes["truncated"] += 1
            self.assertGreater(size, 1000, "what fits a sealed datagram was truncated")
            if size % 64 == 0:
                over_tcp, = ask_tcp(self.address, [query(name, "TXT", edns=4096)])
                self.assertEqual(over_tcp.rdata("TXT"), [rdata_of(size)])
        self.assertGreater(sizes["whole"], 1000)


def rdata_of(size):
    return b"".join(bytes([len(s)]) + s.encode() for s in text_of(size))


class Validating(unittest.TestCase):
    """unbound validates behind the gateway; what it finds reaches the client."""

    @classmethod
    def setUpClass(cls):
        cls.world = w = world.World()
        cls.addClassCleanup(w.close)
        signed, anchor = cls.sign(w)
        broken = signed.replace("192.0.2.66", "192.0.2.67")
        assert broken != signed
        nsd = w.nsd({ZONE: broken})
        cls.unbound = w.unbound(f"""  trust-anchor-file: "{anchor}"
  module-config: "validator iterator"
stub-zone:
  name: "{ZONE}"
  stub-addr: 127.0.0.1@{nsd.port}
""")

    @classmethod
    def sign(cls, w):
        """The zone with signatures, and a file with its key. One signature is broken later."""
        w.write("zone", world.zone_text("bogus A 192.0.2.66"))
        key = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ZONE], cwd=w.dir,
                             capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        subprocess.run(["ldns-signzone", "-o", ZONE, "-f", "signed", "zone", key], cwd=w.dir,
                       capture_output=True, check=True, timeout=20)
        with open(os.path.join(w.dir, "signed")) as file:
            return file.read(), os.path.join(w.dir, key + ".key")

    def path(self, trusted):
        flag = ["--trusted-ad", "on"] if trusted else []
        gateway = self.world.gateway("--upstream", f"127.0.0.1:{self.unbound.port}", *flag)
        return self.world.stub([gateway.stamp], *flag).address

    def test_validated_data_is_marked_where_the_way_is_trusted(self):
        answer, _ = ask_udp(self.path(True), query(f"www.{ZONE}", do=True))
        self.assertEqual(answer.rcode, message.NOERROR)
        self.assertTrue(answer.ad)
        self.assertEqual(len(answer.rdata("RRSIG")), 1)

    def test_nothing_is_marked_where_it_is_not(self):
        answer, _ = ask_udp(self.path(False), query(f"www.{ZONE}", do=True))
        self.assertFalse(answer.ad)

    def test_no_signatures_for_those_who_did_not_ask(self):
        answer, _ = ask_udp(self.path(True), query(f"www.{ZONE}"))
        self.assertEqual(answer.rdata("RRSIG"), [])

    def test_bogus_data_fails_unless_checking_is_disabled(self):
        address = self.path(True)
        answer, _ = ask_udp(address, query(f"bogus.{ZONE}", do=True))
        self.assertEqual(answer.rcode, message.SERVFAIL)
        unchecked, _ = ask_udp(address, query(f"bogus.{ZONE}", do=True, cd=True))
        self.assertEqual(unchecked.rdata("A"), [bytes([192, 0, 2, 67])])
        # What was taken without a check must not serve those who want one.
        again, _ = ask_udp(address, query(f"bogus.{ZONE}", do=True))
        self.assertEqual(again.rcode, message.SERVFAIL)
