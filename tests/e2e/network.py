"""A network of its own between stub and gateway, with nftables that disturbs it."""

import os
import subprocess


def sh(*argv):
    subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20)


class Network:
    """Two namespaces, `near` (stub, client) and `far` (gateway, authority), joined by a cable."""

    def __init__(self):
        self.near, self.far = f"bgn{os.getpid()}", f"bgf{os.getpid()}"
        for space in (self.near, self.far):
            sh("ip", "netns", "add", space)
        sh("ip", "-n", self.near, "link", "add", "cable", "type", "veth", "peer", "name", "cable",
           "netns", self.far)
        for space, host in ((self.near, 1), (self.far, 2)):
            sh("ip", "-n", space, "link", "set", "lo", "up")
            sh("ip", "-n", space, "address", "add", f"10.77.0.{host}/24", "dev", "cable")
            sh("ip", "-n", space, "link", "set", "cable", "up")

    def inside(self, space):
        return ("ip", "netns", "exec", space)

    def lose(self, percent):
        """Of the datagrams in either direction, at random."""
        rules = f"""table inet loss {{
  chain input {{
    type filter hook input priority 0;
    iifname "cable" udp sport 5443 numgen random mod 100 < {percent} drop
  }}
  chain output {{
    type filter hook output priority 0;
    oifname "cable" udp dport 5443 numgen random mod 100 < {percent} drop
  }}
}}"""
        self.nft(self.near, rules)

    def filter_tcp(self, verdict, match=""):
        """What becomes of TCP packets that reach the gateway: "drop" is silence, "reject with tcp
        reset" a firewall that answers; "accept" lets them in again."""
        self.nft(self.far, f"""table inet streams
delete table inet streams
table inet streams {{
  chain input {{
    type filter hook input priority 0;
    iifname "cable" tcp dport 5443 {match} {verdict}
  }}
}}""")

    def nft(self, space, rules):
        subprocess.run([*self.inside(space), "nft", "-f", "-"], input=rules, text=True,
                       check=True, capture_output=True, timeout=20)

    def close(self):
        for space in (self.near, self.far):
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, timeout=20)
