"""The DHT through a gateway: our own commands, and unmodified clients that know a front only."""

import hashlib
import json
import os
import signal
import socket
import unittest

import libtorrent as lt

import namespace
import torrent
import world
from capture import Capture
from world import boxgram, wait_until

INFOHASH = "0123456789abcdef0123456789abcdef01234567"


def setUpModule():
    namespace.enter()


def lines(done):
    """What a command said with --json."""
    return [json.loads(line) for line in done.stdout.splitlines()]


class Front(unittest.TestCase):
    """Four nodes of Mainline, a gateway among them, and a stub that is a front."""

    nodes = "1"

    def setUp(self):
        self.world = w = world.World()
        self.addCleanup(w.close)
        self.first = self.mainline("127.0.50.1")
        for n in (51, 52, 53):
            self.mainline(f"127.0.{n}.1", "--bootstrap", self.first)
        self.gateway = self.start_gateway("127.0.60.1")
        self.front = ("127.0.0.1", world.free_port())
        self.stub = w.stub([self.gateway.stamp], "--dht", "%s:%d" % self.front,
                           "--dht-nodes", self.nodes)

    def mainline(self, host, *options):
        address = f"{host}:{world.free_port(host)}"
        state = self.world.path(f"dht-{len(self.world.processes)}")
        process = self.world.start("dht", [world.PROGRAM, "dht", "node", "--mainline", address,
                                           "--state-dir", state, *options])
        self.world.wait_line(process, r"dht: serving")
        return address

    def start_gateway(self, host, *options, **more):
        port = world.free_port(host)
        gateway = self.world.gateway("--dht", "on", "--dht-mainline", f"{host}:{port}",
                                     "--upstream", "127.0.0.1", "--dht-bootstrap", self.first,
                                     *options, **more)
        wait_until(lambda: self.ask(gateway, "find-node", INFOHASH)["answered"] >= 3,
                   "the gateway has joined", 60)
        return gateway

    def ask(self, gateway, *arguments, code=None):
        """The last line of a command through a gateway."""
        done = boxgram("dht", *arguments, "--gateway", gateway.stamp, "--json", timeout=60)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return lines(done)[-1] if done.stdout else {"answered": 0}

    def run_dht(self, *arguments, code=0):
        done = boxgram("dht", *arguments, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def session(self, host):
        """libtorrent, which knows the front and nobody else."""
        session = torrent.Session(host, routers=[self.front])
        self.addCleanup(session.close)
        return session

    def payload(self, size=300_000):
        """(folder of the seeder, folder of the leecher, torrent file)"""
        seeds, leeches = self.world.path("seeds"), self.world.path("leeches")
        os.mkdir(seeds)
        os.mkdir(leeches)
        file = self.world.path("file.torrent")
        with open(file, "wb") as out:
            out.write(torrent.make_torrent(seeds, "payload", size))
        return seeds, leeches, file

    def assert_same(self, seeds, leeches):
        with open(os.path.join(seeds, "payload"), "rb") as a, \
                open(os.path.join(leeches, "payload"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def aria2(self, name, host, file, folder, *options):
        return torrent.aria2(self.world, name, host, file, folder, self.front, *options)


class Clients(Front):
    def test_libtorrent_finds_libtorrent_and_the_sealed_hop_shows_nothing(self):
        seeds, leeches, file = self.payload()
        infohash = str(lt.torrent_info(file).info_hash())
        with Capture([self.gateway.port]) as sealed, \
                Capture([self.front[1]]) as plain:
            self.session("127.0.20.1").add(lt.torrent_info(file), seeds)
            leecher = self.session("127.0.21.1").add(lt.torrent_info(file), leeches)
            wait_until(lambda: leecher.status().is_seeding, "the download is done", 90)
        self.assert_same(seeds, leeches)
        # The plain hop shows what the search below would find, were it there.
        secrets = (bytes.fromhex(infohash), infohash.encode(), b"d1:ad2:id20:")
        told = b"".join(payload for _, _, payload in plain.datagrams)
        self.assertTrue(secrets[0] in told and secrets[2] in told)
        for end in (0, 1):
            carried = b"".join(p for s, t, p in sealed.segments
                               if (s, t)[end] == self.gateway.port)
            self.assertGreater(len(carried), 500, "nothing travelled")
            for secret in secrets:
                self.assertNotIn(secret, carried)

    def test_aria2_finds_aria2(self):
        seeds, leeches, file = self.payload()
        self.aria2("seeder", "127.0.0.22", file, seeds, "--check-integrity=true",
                   "--seed-ratio=0.0")
        leecher = self.aria2("leecher", "127.0.0.23", file, leeches, "--seed-time=0")
        wait_until(lambda: not leecher.running(), "the download is done", 120)
        self.assertEqual(leecher.popen.returncode, 0, leecher.text())
        self.assert_same(seeds, leeches)

    def test_peers_of_mainline_are_found_through_the_gateway(self):
        self.run_dht("announce", INFOHASH, "--port", "6999", "--bootstrap", self.first)
        asker = self.session("127.0.22.1")

        def found():
            asker.session.dht_get_peers(lt.sha1_hash(bytes.fromhex(INFOHASH)))
            peers = asker.wait_alert("dht_get_peers_reply_alert", lambda a: a.peers() or [0])
            return peers != [0] and 6999 in [port for _, port in peers]
        wait_until(found, "the peer is found", 60)

    def test_items_of_libtorrent_are_stored_in_mainline_and_found_there(self):
        client = self.session("127.0.23.1")
        target = str(client.session.dht_put_immutable_item("from libtorrent"))
        client.wait_alert("dht_put_alert", lambda a: a.num_success)
        done = self.run_dht("get", target, "--bootstrap", self.first, "--json")
        self.assertEqual(lines(done)[0]["value"], "from libtorrent")

        target = self.run_dht("put", "from boxgram", "--bootstrap", self.first).stdout.split()[0]
        self.assertEqual(target, hashlib.sha1(b"12:from boxgram").hexdigest())
        client.session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(target)))
        value = client.wait_alert("dht_immutable_item_alert", lambda a: a.item["value"])
        self.assertEqual(value, b"from boxgram")

    def test_another_gateway_is_asked_when_one_dies(self):
        second = self.start_gateway("127.0.61.1")
        front = ("127.0.0.1", world.free_port())
        self.world.stub([self.gateway.stamp, second.stamp], "--dht", "%s:%d" % front)
        self.gateway.kill()
        self.run_dht("announce", INFOHASH, "--port", "6999", "--bootstrap", self.first)
        self.assertEqual(self.ports_of(INFOHASH, front), [6999])

    def test_a_reload_keeps_the_front(self):
        self.run_dht("announce", INFOHASH, "--port", "6999", "--bootstrap", self.first)
        self.assertEqual(self.ports_of("f" + INFOHASH[1:], self.front), [])
        self.stub.signal(signal.SIGHUP)
        self.world.wait_line(self.stub, "reloaded")
        self.assertEqual(self.ports_of(INFOHASH, self.front), [6999])

    def ports_of(self, infohash, front):
        """What one get_peers brings."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(b"d1:ad2:id20:abcdefghij01234567899:info_hash20:" +
                          bytes.fromhex(infohash) + b"e1:q9:get_peers1:t2:aa1:y1:qe", front)
            reply = lt.bdecode(client.recv(2048))[b"r"]
        return [int.from_bytes(value[4:], "big") for value in reply.get(b"values", [])]


class SixteenNodes(Front):
    nodes = "16"

    def test_clients_see_sixteen_nodes_and_nobody_else(self):
        ports = range(self.front[1], self.front[1] + 16)
        seen = set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            for number, port in enumerate(ports):
                target = bytes([number * 16]) + bytes(19)
                client.sendto(b"d1:ad2:id20:abcdefghij01234567896:target20:" + target +
                              b"e1:q9:find_node1:t2:aa1:y1:qe", ("127.0.0.1", port))
                nodes = lt.bdecode(client.recv(2048))[b"r"][b"nodes"]
                self.assertEqual(len(nodes), 8 * 26)
                seen |= {nodes[i + 20:i + 26] for i in range(0, len(nodes), 26)}
        self.assertEqual(seen, {socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big")
                                for port in ports})

    def test_libtorrent_finds_aria2(self):
        seeds, leeches, file = self.payload()
        self.aria2("seeder", "127.0.0.24", file, seeds, "--check-integrity=true",
                   "--seed-ratio=0.0")
        leecher = self.session("127.0.24.1").add(lt.torrent_info(file), leeches)
        wait_until(lambda: leecher.status().is_seeding, "the download is done", 120)
        self.assert_same(seeds, leeches)


class Commands(Front):
    def test_peers_and_items_as_with_a_node_of_our_own(self):
        self.run_dht("announce", INFOHASH, "--port", "6999", "--bootstrap", self.first)
        through = ("--gateway", self.gateway.stamp, "--json")
        own = ("--bootstrap", self.first, "--json")
        peers = [lines(self.run_dht("get-peers", INFOHASH, *way)) for way in (through, own)]
        self.assertEqual(peers[0][0]["peers"], peers[1][0]["peers"])
        self.assertEqual(set(peers[0][-1]), set(peers[1][-1]))

        key = self.world.path("item.key")
        word = boxgram("keygen", "--item", "--out", key).stdout.strip()
        for sequence in (1, 2):
            put = lines(self.run_dht("put", f"version {sequence}", "--key", key, "--salt", "news",
                                     *through))
            self.assertEqual(put[0]["seq"], sequence, "one above what is there")
            self.assertGreaterEqual(put[-1]["stored"], 3)
        for way in (through, own):
            item = lines(self.run_dht("get", word, "--salt", "news", *way))[-2]
            self.assertEqual((item["value"], item["seq"]), ("version 2", 2))
        late = self.run_dht("put", "late", "--key", key, "--salt", "news", "--seq", "1", *through,
                            code=1)
        self.assertEqual(lines(late)[-1]["error"], 302)

    def test_nodes_and_the_gateway_itself(self):
        nodes = self.ask(self.gateway, "find-node", INFOHASH, code=0)["closest"]
        self.assertIn(self.first, [node["address"] for node in nodes])
        self.assertEqual(self.ask(self.gateway, "ping", code=0)["event"], "pong")

    def test_a_gateway_announces_only_where_it_is_told_to(self):
        refused = self.ask(self.gateway, "announce", INFOHASH, "--port", "6999", code=1)
        self.assertEqual(refused["error"], 204)
        self.assertIn("its address", refused["text"])
        willing = self.start_gateway("127.0.61.1", "--dht-announce", "on")
        stored = self.ask(willing, "announce", INFOHASH, "--port", "6999", code=0)["stored"]
        self.assertGreaterEqual(stored, 3)

    def test_who_may_not_and_what_is_not_there(self):
        closed = self.start_gateway_for_listed()
        done = self.run_dht("ping", "--gateway", closed.stamp, code=4)
        self.assertIn("does not serve the DHT to this key", done.stderr)
        key = self.world.path("client.key")
        line = boxgram("keygen", "--client", "--out", key).stdout.split()[0]
        boxgram("client", "add", "me", line, "--services", "dht",
                "--clients", os.path.join(closed.state, "clients"))
        closed.signal(signal.SIGHUP)
        self.world.wait_line(closed, "reloaded")
        self.run_dht("ping", "--gateway", closed.stamp, "--client-key", key)
        without = self.world.gateway("--upstream", "127.0.0.1")
        done = self.run_dht("ping", "--gateway", without.stamp, code=4)
        refused = self.run_dht("ping", "--gateway", self.gateway.stamp, "--overlay", "sealed",
                               code=1)
        self.assertIn("not in the sealed overlay", refused.stderr)

    def start_gateway_for_listed(self):
        port = world.free_port("127.0.62.1")
        return self.world.gateway("--dht", "on", "--dht-mainline", f"127.0.62.1:{port}",
                                  "--dht-for-all", "off", "--upstream", "127.0.0.1")

    def test_a_killed_gateway_rejoins_from_its_table(self):
        gateway = self.start_gateway("127.0.61.1")
        table = os.path.join(gateway.state, "dht", "mainline.nodes")
        wait_until(lambda: os.path.exists(table), "the table is saved", 40)
        gateway.kill()
        again = self.world.gateway("--dht", "on", "--dht-mainline", "127.0.61.1:0",
                                   "--upstream", "127.0.0.1", state=gateway.state)
        wait_until(lambda: self.ask(again, "find-node", INFOHASH)["answered"] >= 2,
                   "it has joined again", 40)


class Sealed(unittest.TestCase):
    """A gateway in the sealed overlay."""

    def test_items_through_a_gateway(self):
        w = world.World()
        self.addCleanup(w.close)
        port = world.free_port("127.0.50.1")
        first = w.start("dht", [world.PROGRAM, "dht", "node", "--listen", f"127.0.50.1:{port}",
                                "--state-dir", w.path("first")])
        w.wait_line(first, r"dht: serving")
        stamp = next(line for line in first.text().splitlines() if line.startswith("boxgram://"))
        port = world.free_port("127.0.60.1")
        gateway = w.gateway("--dht", "on", "--dht-listen", f"127.0.60.1:{port}",
                            "--dht-bootstrap", stamp, "--upstream", "127.0.0.1")
        w.wait_line(gateway, r"joined .*sealed", 30)
        through = ("--gateway", gateway.stamp, "--overlay", "sealed", "--json")
        put = boxgram("dht", "put", "sealed", *through, timeout=60)
        self.assertEqual(put.returncode, 0, put.stdout + put.stderr)
        target = lines(put)[0]["target"]
        for way in (through, ("--bootstrap", stamp, "--json")):
            got = boxgram("dht", "get", target, *way, timeout=60)
            self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
            self.assertEqual(lines(got)[0]["value"], "sealed")
