"""The command line as people and supervisors meet it: exit codes, messages, signals, files."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import unittest
import urllib.request

import world
from message import ask_udp, query
from world import ZONE, boxgram, wait_until


class Commands(unittest.TestCase):
    def setUp(self):
        self.world = world.World()
        self.addCleanup(self.world.close)

    def assert_refused(self, done, code, *parts):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "", "what failed printed a result")
        self.assertLessEqual(len(done.stderr.splitlines()), 2, done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_version_and_help(self):
        self.assertRegex(boxgram("--version").stdout, r"^boxgram \d+\.\d+\.\d+")
        for command in ("gateway", "stub", "query", "dht", "keygen", "client", "stamp", "check",
                        "bench"):
            done = boxgram(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertIn("Examples:", done.stdout, command)

    def test_wrong_usage_is_exit_2(self):
        self.assert_refused(boxgram(), 2)
        self.assert_refused(boxgram("telephone"), 2)
        self.assert_refused(boxgram("gateway", "--lisen", "127.0.0.1:1"), 2, "--lisen")
        self.assert_refused(boxgram("gateway", "--listen", "localhost:1"), 2, "--listen",
                            "'localhost' is not an IP address")
        self.assert_refused(boxgram("stub"), 2, "no gateway is named", "hint")
        self.assert_refused(boxgram("stub", "--gateway", "boxgram://AAAA"), 2, "stamp")
        self.assert_refused(boxgram("query", "a..b", "--gateway", "boxgram://AAAA"), 2)
        self.assert_refused(boxgram("check"), 2)

    def test_wrong_configuration_names_its_place(self):
        path = self.world.write("g.toml", "[cache]\nmax_byte = 1\n")
        expected = f"{path}:2:1: unknown key 'cache.max_byte'"
        for command in ("check", "gateway"):
            self.assert_refused(boxgram(command, "--config", path), 2, expected,
                                "did you mean 'cache.max_bytes'?")
        self.assert_refused(boxgram("check", "--config", "/nonexistent"), 2, "No such file")
        missing = self.world.write("m.toml", '[block]\nfiles = ["/nonexistent"]\n')
        self.assert_refused(boxgram("check", "--config", missing), 2, "/nonexistent")
        self.assert_refused(boxgram("gateway", "--config", missing), 2, "/nonexistent")

    def test_check_tells_gateways_and_stubs_apart(self):
        gateway = self.world.write("g.toml", 'upstreams = "192.0.2.1"\n')
        stub = self.world.write("s.toml", "key_per_query = true\n")
        self.assertIn("gateway", boxgram("check", "--config", gateway).stdout)
        self.assertIn("stub", boxgram("check", "--config", stub).stdout)
        self.assert_refused(boxgram("check", "--stub", "--config", gateway), 2, "upstreams")

    def test_keygen_writes_a_secret_once(self):
        path = self.world.path("k")
        first = boxgram("keygen", "--client", "--name", "laptop", "--out", path)
        self.assertRegex(first.stdout,
                         r"^x25519:[A-Za-z0-9_-]{43} services=control name=laptop\n$")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assert_refused(boxgram("keygen", "--client", "--out", path), 1, path)
        again = boxgram("keygen", "--out", path, "--force")
        self.assertRegex(again.stdout, r"^ed25519:[A-Za-z0-9_-]{43}\n$")
        self.assert_refused(boxgram("keygen"), 2, "--out")
        self.assert_refused(boxgram("keygen", "--client", "--name", "a b", "--out", path), 2)

    def test_keygen_of_a_client_has_a_place_of_its_own(self):
        state = self.world.path("state")
        made = boxgram("keygen", "--client", "--state-dir", state)
        self.assertTrue(os.path.exists(os.path.join(state, "client.key")))
        self.assertRegex(made.stdout, r" name=[A-Za-z0-9._-]+\n$")

    def test_client_edits_the_allow_list(self):
        state = self.world.path("state")
        os.mkdir(state, 0o700)
        listed = os.path.join(state, "clients")
        with open(listed, "w", encoding="ascii") as file:
            file.write("# who may come\n")
        secret = self.world.path("k")
        line = boxgram("keygen", "--client", "--name", "laptop", "--out", secret).stdout
        key = line.split()[0]
        self.assertEqual(boxgram("client", "list", "--state-dir", state).stdout, "")
        added = boxgram("client", "add", "laptop", key, "--state-dir", state)
        self.assertEqual(added.returncode, 0, added.stderr)
        with open(listed, encoding="ascii") as file:
            self.assertEqual(file.read(), "# who may come\n" + line, "what keygen printed")
        self.assertEqual(boxgram("client", "list", "--clients", listed).stdout, line)
        self.assert_refused(boxgram("client", "add", "other", key, "--clients", listed), 1,
                            "the key stands in line 2 already, as laptop")
        self.assert_refused(boxgram("client", "add", "a b", key, "--clients", listed), 2)
        self.assert_refused(boxgram("client", "add", "a", "x25519:AAAA", "--clients", listed), 2,
                            "43 base64url characters")
        self.assert_refused(boxgram("client", "add", "a", key, "--services", "web", "--clients",
                                    listed), 2, "expected a service")
        self.assert_refused(boxgram("client", "remove", "other", "--clients", listed), 1,
                            "no client has the name 'other'")
        self.assertEqual(boxgram("client", "remove", "laptop", "--clients", listed).returncode, 0)
        with open(listed, encoding="ascii") as file:
            self.assertEqual(file.read(), "# who may come\n")
        with open(listed, "a", encoding="ascii") as file:
            file.write("damaged\n")
        self.assert_refused(boxgram("client", "list", "--clients", listed), 1, f"{listed}:2:1:")

    def test_keygen_item_makes_a_kind_of_its_own(self):
        path = self.world.path("item")
        made = boxgram("keygen", "--item", "--out", path)
        self.assertRegex(made.stdout, r"^ed25519:[A-Za-z0-9_-]{43}\n$")
        with open(path, encoding="ascii") as file:
            self.assertTrue(file.read().startswith("boxgram-item-secret:"))
        self.assert_refused(boxgram("keygen", "--item", "--client", "--out", path), 2, "--item")

    def test_dht_says_what_is_wrong_before_it_starts(self):
        infohash = "0123456789abcdef0123456789abcdef01234567"
        state = ("--state-dir", self.world.path("dht"))
        some = ("--bootstrap", "192.0.2.1:6881")
        for arguments, part in (
                (("dht",), "subcommand"),
                (("dht", "get-peers", infohash, *state), "--bootstrap"),
                (("dht", "get-peers", infohash[1:], *some), "40 hexadecimal digits"),
                (("dht", "get-peers", "ed25519:abc", *some), "40 hexadecimal digits"),
                (("dht", "get", "ed25519:abc", *some), "keygen --item"),
                (("dht", "find-node", infohash, "--bootstrap", "192.0.2.1"), "port"),
                (("dht", "find-node", infohash, "--bootstrap", "boxgram://AQ"), "boxgram://AQ"),
                (("dht", "find-node", infohash, *some, "--overlay", "sealed"), "sealed"),
                (("dht", "announce", infohash, *some), "--port"),
                (("dht", "announce", infohash, *some, "--port", "0"), "--port"),
                (("dht", "put", "v" * 997, *some), "1000"),
                (("dht", "put", "d1:bi1e1:ai1ee", "--bencoded", *some), "canonical"),
                (("dht", "put", "x", "--salt", "s", *some), "--key"),
                (("dht", "put", "x", "--key", self.world.path("none"), *some), "keygen --item"),
                (("dht", "put", "x", "--file", "y", *some), "--file"),
                (("dht", "node", "--listen", "nowhere", *state), "nowhere"),
                (("dht", "node", "--listen", "127.0.0.1:1", "--listen", "127.0.0.2:1", *state),
                 "one address"),
                (("dht", "node", "--listen", "127.0.0.1:1", *some, *state), "--mainline"),
                (("dht", "node", "--log-level", "loud", *state), "--log-level")):
            with self.subTest(arguments):
                self.assert_refused(boxgram(*arguments), 2, part)
        self.assertFalse(os.path.exists(self.world.path("dht")), "nothing was started")

    def test_dht_node_refuses_what_it_cannot_use(self):
        state = self.world.path("dht")
        self.assert_refused(boxgram("dht", "node", "--listen", "192.0.2.1:1", "--state-dir", state),
                            1, "192.0.2.1:1")
        for name in ("dht.key", "sealed.nodes"):
            with open(os.path.join(state, name), "w", encoding="ascii") as file:
                file.write("damaged")
            os.chmod(os.path.join(state, name), 0o600)
            self.assert_refused(boxgram("dht", "node", "--listen", "127.0.0.1:0", "--state-dir",
                                        state), 1, name)
            os.unlink(os.path.join(state, name))

    def test_keygen_then_stamp_then_gateway_agree(self):
        state = self.world.path("state")
        boxgram("keygen", "--state-dir", state)
        port = world.free_port()
        made = boxgram("stamp", "--state-dir", state, "--address", f"127.0.0.1:{port}")
        gateway = self.world.gateway(listen=f"127.0.0.1:{port}", state=state)
        self.assertEqual(made.stdout.strip(), gateway.stamp)

    def test_stamp_without_an_identity_is_refused(self):
        os.mkdir(self.world.path("empty"), 0o700)
        self.assert_refused(boxgram("stamp", "--state-dir", self.world.path("empty")), 2, "hint")

    def test_port_that_is_taken(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused(boxgram("gateway", "--listen", address, "--state-dir",
                                        self.world.path("s")), 1, address)
            gateway = self.world.gateway()
            self.assert_refused(boxgram("stub", "--listen", address, "--gateway", gateway.stamp),
                                1, address)

    def test_two_gateways_cannot_share_a_port(self):
        # Several workers share it by SO_REUSEPORT; a second gateway must not join them.
        first = self.world.gateway("--workers", "2", listen="127.0.0.1:0")
        address = re.search(r"serving on (\S+) ", first.text())[1]
        self.assert_refused(boxgram("gateway", "--workers", "2", "--listen", address,
                                    "--state-dir", self.world.path("other")), 1, address)

    def test_two_gateways_cannot_share_a_state_directory(self):
        first = self.world.gateway()
        self.assert_refused(boxgram("gateway", "--listen", f"127.0.0.1:{world.free_port()}",
                                    "--state-dir", first.state), 1, first.state)

    def test_workers_share_a_port_that_the_kernel_chose(self):
        gateway = self.world.gateway("--workers", "2", "--record", "here.example 60 A 192.0.2.5",
                                     listen="127.0.0.1:0")
        for _ in range(8):  # every query has new keys, so both workers get some
            answer = boxgram("query", "here.example", "--gateway", gateway.stamp)
            self.assertIn("192.0.2.5", answer.stdout)

    def test_metrics_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused(boxgram("gateway", "--listen", f"127.0.0.1:{world.free_port()}",
                                        "--state-dir", self.world.path("s"), "--metrics", address),
                                1, address)

    def test_key_file_that_others_can_read(self):
        state = self.world.path("state")
        boxgram("keygen", "--state-dir", state)
        os.chmod(state + "/identity.key", 0o644)
        self.assert_refused(boxgram("gateway", "--listen", f"127.0.0.1:{world.free_port()}",
                                    "--state-dir", state), 1, "identity.key")

    def test_state_directory_that_cannot_be_made(self):
        self.assert_refused(boxgram("gateway", "--listen", f"127.0.0.1:{world.free_port()}",
                                    "--state-dir", "/proc/boxgram"), 1, "/proc/boxgram")

    def test_full_disk(self):
        """A mount namespace of its own with a tiny file system that is full."""
        state = self.world.path("tiny")
        os.mkdir(state)
        script = (f"mount -t tmpfs -o size=4k,mode=700 none {state} && "
                  f"head -c 4096 /dev/zero >{state}/filler; "
                  f"exec {world.PROGRAM} gateway --state-dir {state} "
                  f"--listen 127.0.0.1:{world.free_port()}")
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True,
                              text=True, timeout=20)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("No space left", done.stderr)
        self.assertEqual(done.stdout, "")


class Running(unittest.TestCase):
    def setUp(self):
        self.world = world.World()
        self.addCleanup(self.world.close)
        self.nsd = self.world.nsd({ZONE: world.zone_text()})
        self.upstream = f"127.0.0.1:{self.nsd.port}"

    def test_sigterm_ends_with_0(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([gateway.stamp])
        self.assertEqual(stub.stop(), 0)
        self.assertEqual(gateway.stop(), 0)

    def test_sigterm_drains_what_is_in_flight(self):
        gateway = self.world.gateway("--upstream", f"127.0.0.1:{self.world.black_hole()}")
        stub = self.world.stub([gateway.stamp])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(stub.address)
            client.send(query(f"www.{ZONE}"))
            time.sleep(0.3)
            gateway.signal(signal.SIGTERM)
            client.settimeout(4)
            self.assertGreater(len(client.recv(4096)), 12)
        self.assertEqual(wait_until(lambda: [gateway.popen.poll()] if not gateway.running() else 0,
                                    "the gateway ends"), [0])

    def test_a_machine_without_ipv6_needs_no_configuration(self):
        gateway = self.world.gateway()
        without = ("ip link set lo up; echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6; "
                   'exec "$@"')
        stub = self.world.start("stub", ["unshare", "-n", "sh", "-c", without, "sh", world.PROGRAM,
                                         "stub", "--gateway", gateway.stamp])
        self.world.wait_line(stub, r"serving on 127\.0\.0\.1:5300 \(UDP")
        self.assertIn("not listening on IPv6", stub.text())

    def test_identity_outlives_a_restart(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        stub = self.world.stub([gateway.stamp], "--cache", "off")
        self.assertIsNotNone(ask_udp(stub.address, query(f"www.{ZONE}"))[0])
        gateway.kill()
        again = self.world.gateway("--upstream", self.upstream, listen=gateway.listen,
                                   state=gateway.state)
        self.assertEqual(again.stamp, gateway.stamp)
        answer, _ = ask_udp(stub.address, query(f"www.{ZONE}"))
        self.assertEqual(answer.rdata("A"), [bytes([192, 0, 2, 80])])

    def test_reload_takes_the_new_and_keeps_the_old_on_error(self):
        def config(address):
            return (f'upstreams = "{self.upstream}"\n[local]\n'
                    f'records = ["local.example 0 A {address}"]\n')

        path = self.world.write("g.toml", config("192.0.2.1"))
        gateway = self.world.gateway("--config", path)
        stub = self.world.stub([gateway.stamp], "--cache", "off")

        def local():
            return ask_udp(stub.address, query("local.example"))[0].rdata("A")

        self.assertEqual(local(), [bytes([192, 0, 2, 1])])
        self.world.write("g.toml", config("192.0.2.2"))
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: local() == [bytes([192, 0, 2, 2])], "the new record is served")
        self.world.write("g.toml", "nonsense = 1\n")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "nonsense" in gateway.text(), "the error is logged")
        self.assertEqual(local(), [bytes([192, 0, 2, 2])])
        self.assertTrue(gateway.running())

    def test_a_domain_that_moves_to_other_servers_is_forgotten(self):
        other = self.world.nsd({ZONE: world.zone_text("moved A 192.0.2.123")})

        def config(upstream):
            return f'[forward]\n"{ZONE}" = "{upstream}"\n'

        path = self.world.write("g.toml", config(self.upstream))
        gateway = self.world.gateway("--config", path)
        stub = self.world.stub([gateway.stamp], "--cache", "off")

        def moved():
            return ask_udp(stub.address, query(f"moved.{ZONE}"))[0].rdata("A")

        self.assertEqual(moved(), [bytes([192, 0, 2, 99])])
        self.world.write("g.toml", config(f"127.0.0.1:{other.port}"))
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: moved() == [bytes([192, 0, 2, 123])], "the new server is asked")

    def test_a_reloaded_stub_keeps_what_it_knows_of_keys(self):
        metrics = f"127.0.0.1:{world.free_port()}"
        gateway = self.world.gateway("--upstream", self.upstream, "--metrics", metrics)
        path = self.world.write("s.toml", '[cache]\nenabled = false\n')
        stub = self.world.stub([gateway.stamp], "--config", path)

        def keys_sent():
            with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5) as page:
                return re.search(r'sent_total{type="keys"} (\d+)', page.read().decode())[1]

        self.assertIsNotNone(ask_udp(stub.address, query(f"www.{ZONE}"))[0])
        self.assertEqual(keys_sent(), "1")
        stub.signal(signal.SIGHUP)
        wait_until(lambda: "reloaded" in stub.text(), "the stub has reloaded")
        self.assertIsNotNone(ask_udp(stub.address, query(f"www.{ZONE}"))[0])
        self.assertEqual(keys_sent(), "1")

    def test_a_gateway_leaves_no_core(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        with open(f"/proc/{gateway.popen.pid}/limits") as limits:
            self.assertRegex(limits.read(), r"Max core file size +1 +1 ")

    def test_metrics_count(self):
        port, other = world.free_port(), world.free_port()
        gateway = self.world.gateway("--upstream", self.upstream, "--metrics", f"127.0.0.1:{port}")
        stub = self.world.stub([gateway.stamp], "--metrics", f"127.0.0.1:{other}")
        self.assertIsNotNone(ask_udp(stub.address, query(f"www.{ZONE}"))[0])
        for scraped in (port, other):
            with urllib.request.urlopen(f"http://127.0.0.1:{scraped}/metrics", timeout=5) as page:
                text = page.read().decode()
            counts = dict(re.findall(r"^(boxgram_\w+)(?:\{[^}]*\})? (\S+)$", text, re.MULTILINE))
            self.assertEqual(float(counts["boxgram_dns_queries_total"]), 1, text)
            self.assertNotIn(ZONE, text)

    def test_log_has_no_names_unless_asked_and_json_is_json(self):
        for queries in ("off", "on"):
            gateway = self.world.gateway("--upstream", self.upstream, "--log-format", "json",
                                         "--log-level", "debug", "--log-queries", queries)
            stub = self.world.stub([gateway.stamp], "--log-format", "json", "--log-level", "debug",
                                   "--log-queries", queries)
            ask_udp(stub.address, query(f"secret-name.{ZONE}"))
            gateway.stop()
            stub.stop()
            for process in (gateway, stub):
                lines = [line for line in process.text().splitlines() if line.startswith("{")]
                self.assertTrue(lines, process.text())
                for line in lines:
                    entry = json.loads(line)
                    self.assertLessEqual({"time", "level", "message"}, set(entry))
                self.assertEqual("secret-name" in process.text(), queries == "on", process.name)

    def test_query_prints_what_travelled(self):
        gateway = self.world.gateway("--upstream", self.upstream)
        done = boxgram("query", f"www.{ZONE}", "A", "AAAA", "--gateway", gateway.stamp, "--trace")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("192.0.2.80", done.stdout)
        self.assertIn("2001:db8::80", done.stdout)
        done = boxgram("query", f"www.{ZONE}", "--gateway", gateway.stamp, "--json")
        self.assertIn("192.0.2.80", json.dumps(json.loads(done.stdout)))
        gateway.kill()
        done = boxgram("query", f"www.{ZONE}", "--gateway", gateway.stamp, "--timeout", "500")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
