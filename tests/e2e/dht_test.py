"""The DHT among other people's programs: libtorrent, aria2; on a network of loopback alone."""

import base64
import hashlib
import os
import socket
import urllib.request

import libtorrent as lt

import torrent
import world
from dht_world import INFOHASH, Dht, lines, setUpModule  # noqa: F401
from world import boxgram, wait_until


class Libtorrent(Dht):
    """Eleven nodes of libtorrent and one of ours, which is the only one that they know at first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ours = cls.mainline("127.0.50.1")
        cls.others = [cls.session(f"127.0.{n}.1", [cls.ours.address]) for n in range(1, 12)]
        wait_until(lambda: cls.known(cls.ours.name_port) >= 8, "they have met", 60)
        wait_until(lambda: all(o.nodes() >= 8 for o in cls.others), "libtorrent has met", 60)

    def test_ping_in_both_directions(self):
        other = self.others[0]
        done = self.dht("ping", f"{other.host}:{other.port}", "--json")
        self.assertEqual(lines(done)[0]["event"], "pong")
        done = self.dht("ping", self.ours.name_port, "--json")
        self.assertEqual(lines(done)[0]["event"], "pong")

    def test_peers_announced_by_libtorrent_are_found(self):
        seeder = self.others[3]
        seeder.add(INFOHASH, self.world.dir)
        peer = f"{seeder.host}:{seeder.port}"
        wait_until(lambda: peer in boxgram("dht", "get-peers", INFOHASH, "--bootstrap",
                                           self.ours.name_port, timeout=60).stdout,
                   "the peer is found", 60)

    def test_peers_announced_by_us_are_found_by_libtorrent(self):
        done = self.dht("announce", INFOHASH, "--port", "6999", "--bootstrap", self.ours.name_port,
                        "--json")
        self.assertGreaterEqual(lines(done)[-1]["stored"], 8)
        asker = self.others[7]
        asker.session.dht_get_peers(lt.sha1_hash(bytes.fromhex(INFOHASH)))
        peers = asker.wait_alert("dht_get_peers_reply_alert", lambda alert: alert.peers())
        self.assertIn(6999, [port for _, port in peers])

    def test_immutable_items_in_both_directions(self):
        target = self.others[2].session.dht_put_immutable_item(["from", {"libtorrent": 1}])
        self.others[2].wait_alert("dht_put_alert", lambda alert: alert.num_success)
        done = self.dht("get", str(target), "--bootstrap", self.ours.name_port, "--json")
        self.assertEqual(lines(done)[0]["value"], ["from", {"libtorrent": 1}])

        target = self.dht("put", "from boxgram", "--bootstrap",
                          self.ours.name_port).stdout.split()[0]
        self.assertEqual(target, hashlib.sha1(b"12:from boxgram").hexdigest())
        self.others[8].session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(target)))
        value = self.others[8].wait_alert("dht_immutable_item_alert", lambda a: a.item["value"])
        self.assertEqual(value, b"from boxgram")

    def test_mutable_items_in_both_directions(self):
        path = self.world.path("item.key")
        word = boxgram("keygen", "--item", "--out", path).stdout.strip()
        public = base64.urlsafe_b64decode(word.split(":")[1] + "=")
        with open(path, encoding="ascii") as file:
            seed = base64.urlsafe_b64decode(file.read().strip().split(":")[1] + "=")
        entry = ("--bootstrap", self.ours.name_port)

        done = self.dht("put", "one", "--key", path, "--salt", "news", *entry, "--json")
        self.assertGreaterEqual(lines(done)[-1]["stored"], 8)
        self.others[1].session.dht_get_mutable_item(public, b"news")
        found = self.others[1].wait_alert("dht_mutable_item_alert",
                                          lambda a: a.item["value"] and (a.item["value"], a.seq))
        self.assertEqual(found, (b"one", 1))

        self.others[4].session.dht_put_mutable_item(torrent.expanded_key(seed), public, b"two",
                                                    b"news")
        self.others[4].wait_alert("dht_put_alert", lambda alert: alert.num_success)
        done = self.dht("get", word, "--salt", "news", *entry, "--json")
        items = [line for line in lines(done) if line["event"] == "item"]
        self.assertEqual((items[-1]["value"], items[-1]["seq"]), ("two", 2))

        done = self.dht("put", "three", "--key", path, "--salt", "news", *entry, "--json")
        self.assertEqual(lines(done)[0]["seq"], 3, "one above what libtorrent has put")
        refused = self.dht("put", "late", "--key", path, "--salt", "news", "--seq", "2", *entry,
                           "--json", code=1)
        self.assertEqual({line["error"] for line in lines(refused) if line["event"] == "stored"},
                         {302})
        refused = self.dht("put", "cas", "--key", path, "--salt", "news", "--seq", "9", "--cas",
                           "1", *entry, "--json", code=1)
        self.assertEqual({line["error"] for line in lines(refused) if line["event"] == "stored"},
                         {301})


class Aria2(Dht):
    def test_seeder_and_leecher_find_each_other_through_our_node(self):
        ours = self.mainline("127.0.50.1")
        seeds, leeches = self.world.path("seeds"), self.world.path("leeches")
        os.mkdir(seeds)
        os.mkdir(leeches)
        file = self.world.path("file.torrent")
        with open(file, "wb") as out:
            out.write(torrent.make_torrent(seeds, "payload", 300_000))
        torrent.aria2(self.world, "seeder", "127.0.0.22", file, seeds, ours.address,
                      "--check-integrity=true", "--seed-ratio=0.0")
        leecher = torrent.aria2(self.world, "leecher", "127.0.0.23", file, leeches, ours.address,
                                "--seed-time=0")
        wait_until(lambda: not leecher.running(), "the download is done", 120)
        self.assertEqual(leecher.popen.returncode, 0, leecher.text())
        with open(os.path.join(seeds, "payload"), "rb") as a, \
                open(os.path.join(leeches, "payload"), "rb") as b:
            self.assertEqual(a.read(), b.read())


class Restart(Dht):
    def test_a_killed_node_rejoins_from_its_table_without_the_bootstrap(self):
        first = self.mainline("127.0.1.1")
        entry = ("--bootstrap", first.name_port)
        second = self.mainline("127.0.2.1", *entry)
        others = [self.mainline(f"127.0.{n}.1", *entry) for n in range(3, 6)]
        saved = os.path.join(second.state, "mainline.nodes")

        def knows_the_others():
            if not os.path.exists(saved):
                return False
            with open(saved, "rb") as file:
                table = file.read()
            return all(socket.inet_aton(o.address[0]) in table for o in others)
        wait_until(knows_the_others, "the table is saved", 40)
        second.kill()
        first.kill()
        again = self.node("--mainline", second.name_port, state=second.state)
        self.world.wait_line(again, r"joined .*mainline", 30)
        self.assertEqual(second.id, again.id, "it is who it was")
        wait_until(lambda: self.known(second.name_port) >= 3, "it names the others", 30)


class Wire(Dht):
    """Datagrams that no library would send."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ours = cls.mainline("127.0.50.1")

    def setUp(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(("127.0.9.1", 0))
        self.socket.settimeout(5)

    def ask(self, datagram):
        self.socket.sendto(datagram, self.ours.address)
        return self.socket.recv(2048)

    def test_malformed_queries_get_error_203(self):
        for query in (b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe",
                      b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe",
                      b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qeX"):
            self.assertTrue(self.ask(query).startswith(b"d1:eli203e"), query)

    def test_unknown_methods_get_error_204(self):
        reply = self.ask(b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe")
        self.assertTrue(reply.startswith(b"d1:eli204e"), reply)

    def test_noise_and_unasked_replies_get_nothing(self):
        for noise in (b"", b"hello", b"d", b"d1:t2:aae", b"l" * 1400,
                      b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
                      b"d1:eli203e1:xe1:t2:aa1:y1:ee", b"d1:rle1:t2:aa1:y1:re"):
            self.socket.sendto(noise, self.ours.address)
        # The next answer is the one to this: nothing came before it.
        reply = self.ask(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:zz1:y1:qe")
        self.assertIn(b"1:t2:zz1:y1:re", reply)

    def test_metrics_count_what_came(self):
        port = world.free_port("127.0.60.1")
        node = self.mainline("127.0.60.1", "--metrics", f"127.0.60.1:{port}")
        for datagram in (b"hello", b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"):
            self.socket.sendto(datagram, node.address)
        self.socket.recv(2048)
        with urllib.request.urlopen(f"http://127.0.60.1:{port}/metrics", timeout=10) as page:
            text = page.read().decode()
        for line in ("boxgram_dht_mainline_queries_total 1",
                     'boxgram_dht_mainline_replies_total{kind="response"} 1',
                     'boxgram_dht_mainline_dropped_total{reason="malformed"} 1'):
            self.assertIn(line + "\n", text)

    def test_a_put_without_a_token_is_refused(self):
        reply = self.ask(b"d1:ad2:id20:abcdefghij01234567895:token8:xxxxxxxx1:v2:hie"
                         b"1:q3:put1:t2:aa1:y1:qe")
        self.assertTrue(reply.startswith(b"d1:eli203e"), reply)

    def test_replies_say_where_the_query_came_from(self):
        reply = lt.bdecode(self.ask(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"))
        host, port = self.socket.getsockname()
        self.assertEqual(reply[b"ip"], socket.inet_aton(host) + port.to_bytes(2, "big"))
