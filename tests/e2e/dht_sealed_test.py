"""The sealed overlay: what it does for its users, and what an observer of it sees."""

import base64
import hashlib
import os
import socket

import world
from capture import Capture
from dht_world import INFOHASH, Dht, lines, setUpModule  # noqa: F401
from world import boxgram, wait_until

VALUE = "a canary in a value"


def target_of(done):
    """What a put printed first."""
    return done.stdout.split()[0]


def contents(stamp):
    """What stands in a stamp, without the checksum (PROTOCOL.md, "Stamps")."""
    text = stamp.removeprefix("boxgram://")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4]


def stamp_of(content):
    check = hashlib.blake2b(b"BXG1-URI" + content, digest_size=4).digest()
    return "boxgram://" + base64.urlsafe_b64encode(content + check).decode().rstrip("=")


class Sealed(Dht):
    """Ten nodes, all but the first of which begin with it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first = cls.sealed("127.0.1.1")
        cls.entry = ("--bootstrap", cls.first.stamp)
        cls.nodes = [cls.first] + [cls.sealed(f"127.0.{n}.1", *cls.entry) for n in range(2, 11)]
        wait_until(lambda: cls.known(cls.first.stamp) >= 8, "they have met", 60)

    def test_ping_tells_key_id_and_time(self):
        for line in lines(self.dht("ping", self.first.stamp, self.nodes[5].stamp, "--json"))[:2]:
            self.assertEqual(line["event"], "pong")
            self.assertIn(line["node"]["id"], (self.first.id, self.nodes[5].id))

    def test_nobody_answers_under_the_key_of_another(self):
        # The first node's address with the second one's key: nothing that is sealed to it opens.
        first, second = contents(self.first.stamp), contents(self.nodes[1].stamp)
        self.dht("ping", stamp_of(first[:2] + second[2:34] + first[34:]), code=3)

    def test_what_one_announces_another_finds(self):
        done = self.dht("announce", INFOHASH, "--port", "6999", *self.entry, "--json")
        self.assertGreaterEqual(lines(done)[-1]["stored"], 8)
        done = self.dht("get-peers", INFOHASH, "--bootstrap", self.nodes[7].stamp)
        self.assertIn("127.0.0.1:6999", done.stdout)

    def test_items_are_stored_found_and_replaced(self):
        path = self.world.path("item.key")
        word = boxgram("keygen", "--item", "--out", path).stdout.strip()
        for number, value in enumerate(("one", "two"), 1):
            done = self.dht("put", value, "--key", path, *self.entry, "--json")
            self.assertEqual(lines(done)[0]["seq"], number)
            self.assertGreaterEqual(lines(done)[-1]["stored"], 8)
        done = self.dht("get", word, "--bootstrap", self.nodes[4].stamp, "--json")
        items = [line for line in lines(done) if line["event"] == "item"]
        self.assertEqual((items[-1]["value"], items[-1]["seq"]), ("two", 2))

    def test_the_largest_item_fits(self):
        value = "v" * 996
        target = target_of(self.dht("put", value, *self.entry))
        self.assertEqual(lines(self.dht("get", target, *self.entry, "--json"))[0]["value"], value)
        path = self.world.path("large.key")
        word = boxgram("keygen", "--item", "--out", path).stdout.strip()
        self.dht("put", value, "--key", path, *self.entry)
        self.assertEqual(lines(self.dht("get", word, *self.entry, "--json"))[0]["value"], value)

    def test_an_observer_sees_neither_targets_nor_messages(self):
        with Capture([node.address[1] for node in self.nodes]) as seen:
            self.dht("announce", INFOHASH, "--port", "6999", *self.entry)
            self.dht("get-peers", INFOHASH, *self.entry)
            target = target_of(self.dht("put", VALUE, *self.entry))
            self.dht("get", target, *self.entry)
            self.dht("trace", INFOHASH, *self.entry)
        self.assertGreater(len(seen.datagrams), 50)
        for _, _, payload in seen.datagrams:
            self.assertEqual(payload[:3], b"bg\x01")
            for part in (bytes.fromhex(INFOHASH), bytes.fromhex(target), VALUE.encode(),
                         b"d1:ad2:id20:", b"9:info_hash", b"6:target", b"9:get_peers"):
                self.assertNotIn(part, payload)

    def test_the_same_search_finds_all_of_it_in_mainline(self):
        first = self.mainline("127.1.1.1")
        second = self.mainline("127.1.2.1", "--bootstrap", first.name_port)
        with Capture([first.address[1], second.address[1]]) as seen:
            self.dht("announce", INFOHASH, "--port", "6999", "--bootstrap", first.name_port)
            target = target_of(self.dht("put", VALUE, "--bootstrap", first.name_port))
        heap = b"".join(payload for _, _, payload in seen.datagrams)
        for part in (bytes.fromhex(INFOHASH), bytes.fromhex(target), VALUE.encode(),
                     b"d1:ad2:id20:", b"9:info_hash", b"6:target", b"9:get_peers"):
            self.assertIn(part, heap)

    def test_what_is_not_sealed_gets_nothing(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.bind(("127.0.9.9", 0))
            asker.settimeout(0.5)
            for datagram in (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
                             b"bg\x01\x01" + os.urandom(1228), b"bg\x01\x03" + os.urandom(252)):
                asker.sendto(datagram, self.first.address)
            try:
                reply = asker.recv(2048)
            except TimeoutError:
                return
            # A RESET for the SHORT is all that may come.
            self.assertEqual((len(reply), reply[:4]), (28, b"bg\x01\x13"))


class SealedRestart(Dht):
    def test_a_killed_node_rejoins_under_its_key_without_the_bootstrap(self):
        first = self.sealed("127.0.1.1")
        entry = ("--bootstrap", first.stamp)
        second = self.sealed("127.0.2.1", *entry)
        others = [self.sealed(f"127.0.{n}.1", *entry) for n in range(3, 6)]
        saved = os.path.join(second.state, "sealed.nodes")

        def knows_the_others():
            if not os.path.exists(saved):
                return False
            with open(saved, "rb") as file:
                table = file.read()
            return all(socket.inet_aton(o.address[0]) in table for o in others)
        wait_until(knows_the_others, "the table is saved", 40)
        second.kill()
        first.kill()
        again = self.node("--listen", second.name_port, state=second.state)
        self.assertEqual((second.id, second.stamp), (again.id, again.stamp), "it is who it was")
        self.world.wait_line(again, r"joined .*sealed", 30)
        wait_until(lambda: self.known(again.stamp) >= 3, "it names the others", 30)


class BothOverlays(Dht):
    def test_nodes_of_one_are_never_named_in_the_other(self):
        port, plain_port = world.free_port("127.0.1.1"), world.free_port("127.0.1.1")
        both = self.node("--listen", f"127.0.1.1:{port}", "--mainline", f"127.0.1.1:{plain_port}")
        sealed = [self.sealed(f"127.0.2{n}.1", "--bootstrap", both.stamp) for n in range(3)]
        router = ("127.0.1.1", plain_port)
        plain = [self.mainline(f"127.0.3{n}.1", "--bootstrap", f"{router[0]}:{plain_port}")
                 for n in range(3)]
        wait_until(lambda: self.known(both.stamp) >= 3, "the sealed ones have met", 60)
        wait_until(lambda: self.known(f"127.0.1.1:{plain_port}") >= 3, "the others have met", 60)
        named = {entry: {node["address"] for node in lines(self.dht(
            "find-node", INFOHASH, "--bootstrap", entry, "--json"))[-1]["closest"]}
            for entry in (both.stamp, f"127.0.1.1:{plain_port}")}
        for node in sealed:
            self.assertIn(node.name_port, named[both.stamp])
            self.assertNotIn(node.name_port, named[f"127.0.1.1:{plain_port}"])
        for node in plain:
            self.assertNotIn(node.name_port, named[both.stamp])
            self.assertIn(node.name_port, named[f"127.0.1.1:{plain_port}"])
