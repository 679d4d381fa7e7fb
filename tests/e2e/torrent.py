"""BitTorrent clients of others: libtorrent in this process, aria2 as a program; loopback only."""

import hashlib
import os

import libtorrent as lt

import world


class Session:
    """A libtorrent session that is a DHT node at one address and does nothing else by itself."""

    def __init__(self, host, port=0, routers=()):
        self.host = host
        self.session = lt.session({
            "listen_interfaces": f"{host}:{port or world.free_port(host)}",
            "enable_dht": True, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
            "enable_incoming_utp": False, "enable_outgoing_utp": False,
            "dht_bootstrap_nodes": ",".join(f"{h}:{p}" for h, p in routers),
            "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False,
            "dht_block_ratelimit": 10_000, "dht_upload_rate_limit": 1_000_000,
            "dht_prefer_verified_node_ids": False, "allow_multiple_connections_per_ip": True,
            "alert_mask": lt.alert.category_t.dht_notification |
                          lt.alert.category_t.dht_operation_notification |
                          lt.alert.category_t.status_notification,
        })
        world.wait_until(lambda: self.session.listen_port() != 0, "libtorrent listens")
        self.port = self.session.listen_port()
        for router in routers:
            self.session.add_dht_node(router)

    def wait_alert(self, kind, read, seconds=60):
        """What `read` makes of the first alert of that kind for which it makes anything. An alert
        is gone when the next ones are taken, so nothing of it may be kept."""
        def found():
            values = [read(a) for a in self.session.pop_alerts() if type(a).__name__ == kind]
            return next((value for value in values if value), None)
        return world.wait_until(found, f"libtorrent tells {kind}", seconds)

    def nodes(self):
        return self.session.status().dht_nodes

    def add(self, torrent, folder):
        """Joins a torrent (a torrent_info, or 40 hexadecimal digits)."""
        if isinstance(torrent, str):
            parameters = lt.parse_magnet_uri(f"magnet:?xt=urn:btih:{torrent}")
        else:
            parameters = lt.add_torrent_params()
            parameters.ti = torrent
        parameters.save_path = folder
        return self.session.add_torrent(parameters)

    def close(self):
        self.session.pause()
        del self.session


def make_torrent(folder, name, size):
    """A file of random bytes and the torrent that describes it, without any tracker."""
    with open(os.path.join(folder, name), "wb") as file:
        file.write(os.urandom(size))
    storage = lt.file_storage()
    lt.add_files(storage, os.path.join(folder, name))
    creator = lt.create_torrent(storage, flags=lt.create_torrent.v1_only)
    lt.set_piece_hashes(creator, folder)
    return lt.bencode(creator.generate())


def expanded_key(seed):
    """The form in which libtorrent takes an Ed25519 secret. Source: RFC 8032, section 5.1.5."""
    key = bytearray(hashlib.sha512(seed).digest())
    key[0] &= 248
    key[31] = key[31] & 63 | 64
    return bytes(key)


def aria2(w, name, host, torrent, folder, entry, *options):
    """aria2c at one address, with one DHT node that it knows."""
    return w.start(name, [
        "aria2c", f"--interface={host}", f"--bt-external-ip={host}",
        f"--dht-entry-point={entry[0]}:{entry[1]}", f"--dht-listen-port={world.free_port(host)}",
        f"--listen-port={world.free_port(host)}", f"--dht-file-path={w.path(name + '.dht')}",
        "--enable-dht=true", "--enable-dht6=false", "--enable-peer-exchange=false",
        "--bt-enable-lpd=false", "--console-log-level=notice", "--summary-interval=0",
        "--file-allocation=none", "--no-conf=true", "--disable-ipv6=true", f"--dir={folder}",
        *options, torrent])
