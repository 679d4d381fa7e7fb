"""Listens on the loopback interface for UDP and TCP, as an observer of the path would."""

import socket
import struct
import threading

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33


class Capture:
    """with Capture(ports) as seen: ...; then seen.datagrams and seen.segments (of TCP) are lists
    of (source, target, payload)."""

    def __init__(self, ports, interface="lo"):
        self.ports, self.datagrams, self.segments = set(ports), [], []
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.socket.bind((interface, 0))
        self.socket.settimeout(0.1)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.socket.close()

    def listen(self):
        while True:
            try:
                frame, address = self.socket.recvfrom(65536)
            except TimeoutError:
                if self.ended.is_set():
                    return
                continue
            # Loopback shows each frame twice: on its way out and on its way in.
            if address[2] != socket.PACKET_OUTGOING:
                self.take(frame[14:])

    def take(self, packet):
        version = packet[0] >> 4
        if version == 4:
            protocol, body = packet[9], packet[(packet[0] & 15) * 4:]
        elif version == 6:
            protocol, body = packet[6], packet[40:]
        else:
            return
        if protocol not in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
            return
        source, target = struct.unpack_from("!HH", body)
        if source not in self.ports and target not in self.ports:
            return
        if protocol == socket.IPPROTO_UDP:
            # A batch that the kernel carries in one piece has a length of 0 or of the first only.
            self.datagrams.append((source, target, bytes(body[8:])))
        else:
            self.segments.append((source, target, bytes(body[(body[12] >> 4) * 4:])))
