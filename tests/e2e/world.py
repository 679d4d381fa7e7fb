"""Starts real programs on loopback with free ports, waits until they serve, stops them by pid."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import message

PROGRAM = None  # the boxgram under test
_open = []


def describe_open_worlds():
    """The ends of all logs, for the report of a failed test."""
    return "".join(w.logs() for w in _open)


def close_all():
    for w in list(_open):
        w.close()


def free_port(host="127.0.0.1"):
    """A port that is free for UDP and TCP at this moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(100):
        with socket.socket(family, socket.SOCK_DGRAM) as udp, \
                socket.socket(family, socket.SOCK_STREAM) as tcp:
            udp.bind((host, 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def wait_until(condition, what, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} s")


class Process:
    def __init__(self, name, argv, log, pid_of=None):
        self.name, self.log = name, log
        self.popen = subprocess.Popen(argv, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """As a crash: no chance to clean up."""
        self.popen.kill()
        self.popen.wait(10)

    def stop(self, seconds=10):
        """SIGTERM; the exit code."""
        if self.running():
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(10)
                return None
        return self.popen.returncode


class World:
    """A folder, the programs of a test, and helpers to start the usual ones."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="boxgram-e2e-")
        os.chmod(self.dir, 0o755)  # unbound gives its privileges up before it reads its files
        self.processes = []
        _open.append(self)

    def close(self):
        for process in reversed(self.processes):
            process.stop(5)
        if self in _open:
            _open.remove(self)
        shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self):
        text = ""
        for process in self.processes:
            text += f"--- {process.name} (exit {process.popen.poll()})\n"
            text += "\n".join(process.text().splitlines()[-15:]) + "\n"
        return text

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, argv):
        log = self.path(f"{name}-{len(self.processes)}.log")
        process = Process(name, argv, log)
        self.processes.append(process)
        return process

    # --- our program ---

    def gateway(self, *options, listen=None, state=None, prefix=(), ready=True):
        """A running gateway; `.stamp`, `.port`."""
        listen = listen or f"127.0.0.1:{free_port()}"
        state = state or self.path(f"state-{len(self.processes)}")
        process = self.start("gateway", [*prefix, PROGRAM, "gateway", "--listen", listen,
                                         "--state-dir", state, *options])
        process.state, process.listen = state, listen
        process.port = int(listen.rsplit(":", 1)[1])
        if ready:
            self.wait_line(process, r"gateway: serving")
            process.stamp = re.search(r"boxgram://[A-Za-z0-9_-]+", process.text()).group(0)
        return process

    def stub(self, stamps, *options, listen=None, prefix=(), ready=True):
        listen = listen or f"127.0.0.1:{free_port()}"
        argv = [*prefix, PROGRAM, "stub", "--listen", listen]
        for stamp in stamps:
            argv += ["--gateway", stamp]
        process = self.start("stub", argv + list(options))
        process.port = int(listen.rsplit(":", 1)[1])
        process.address = (listen.rsplit(":", 1)[0].strip("[]"), process.port)
        if ready:
            self.wait_line(process, r"stub: serving")
        return process

    def wait_line(self, process, pattern, seconds=10):
        def found():
            match = re.search(pattern, process.text())
            if match is None and not process.running():
                raise AssertionError(f"{process.name} ended with {process.popen.returncode}:\n"
                                     + process.text())
            return match
        return wait_until(found, f"{process.name} says /{pattern}/", seconds)

    # --- servers from Debian ---

    def nsd(self, zones, host="127.0.0.1", prefix=()):
        """An authoritative server; `zones` is a dict from zone name to zone text."""
        port = free_port() if host == "127.0.0.1" else 53
        folder = self.path(f"nsd-{len(self.processes)}")
        os.mkdir(folder)
        config = f"""server:
  ip-address: {host}@{port}
  server-count: 1
  username: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/pid"
  xfrdfile: ""
  zonelistfile: "{folder}/list"
  rrl-ratelimit: 0
  tcp-count: 200
remote-control:
  control-enable: no
"""
        for number, (zone, text) in enumerate(zones.items()):
            with open(f"{folder}/{number}.zone", "w") as file:
                file.write(text)
            config += f'zone:\n  name: "{zone}"\n  zonefile: "{number}.zone"\n'
        with open(f"{folder}/nsd.conf", "w") as file:
            file.write(config)
        process = self.start("nsd", [*prefix, "/usr/sbin/nsd", "-d", "-c", f"{folder}/nsd.conf"])
        process.port = port
        if not prefix:
            self.wait_answer(process, (host, port), next(iter(zones)))
        return process

    def unbound(self, config):
        port = free_port()
        folder = self.path(f"unbound-{len(self.processes)}")
        os.mkdir(folder)
        with open(f"{folder}/unbound.conf", "w") as file:
            file.write(f"""server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-not-query-localhost: no
  do-ip6: no
{config}
remote-control:
  control-enable: no
""")
        process = self.start("unbound", ["/usr/sbin/unbound", "-d", "-p", "-c",
                                         f"{folder}/unbound.conf"])
        process.port = port
        self.wait_answer(process, ("127.0.0.1", port), "localhost")
        return process

    def wait_answer(self, process, address, name):
        def answers():
            if not process.running():
                raise AssertionError(f"{process.name} ended:\n" + process.text())
            try:
                return message.ask_udp(address, message.query(name, "SOA"), 0.2)[0]
            except ConnectionRefusedError:
                return None
        return wait_until(answers, f"{process.name} answers")

    def black_hole(self):
        """A UDP port that takes everything and says nothing; closes with the world."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        self.holes = getattr(self, "holes", []) + [sock]
        return sock.getsockname()[1]


def boxgram(*arguments, timeout=20, **options):
    """Runs a command to its end."""
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=timeout,
                          **options)


def run(*argv, timeout=30):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    return done.stdout + done.stderr


def dig(address, *arguments):
    return run("dig", f"@{address[0]}", "-p", str(address[1]), "+tries=1", "+time=4", *arguments)


def kdig(address, *arguments):
    return run("kdig", f"@{address[0]}", "-p", str(address[1]), "+retry=0", "+time=4", *arguments)


ZONE = "e2e.example"


def zone_text(lines=""):
    return f"""$ORIGIN {ZONE}.
$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
mail MX 10 www
short 5 A 192.0.2.81
zero 0 A 192.0.2.82
* A 192.0.2.99
{lines}
"""


SIGHUP = signal.SIGHUP
