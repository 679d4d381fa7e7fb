"""Just enough DNS to ask exact questions and to read answers; written from RFC 1035 and 6891 and
independent of the program under test."""

import random
import socket
import struct
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "OPT": 41,
         "RRSIG": 46, "ANY": 255}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def wire_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def query(name, rtype="A", ident=None, edns=1232, do=False, cd=False):
    ident = random.randrange(65536) if ident is None else ident
    flags = 0x0100 | (0x0010 if cd else 0)
    message = struct.pack("!6H", ident, flags, 1, 0, 0, 1 if edns else 0)
    message += wire_name(name) + struct.pack("!HH", TYPES[rtype], 1)
    if edns:
        message += b"\0" + struct.pack("!HHIH", TYPES["OPT"], edns, 0x8000 if do else 0, 0)
    return message


def read_name(message, offset):
    labels, end, hops = [], None, 0
    while True:
        length = message[offset]
        if length & 0xC0 == 0xC0:
            end = end or offset + 2
            offset = (length & 0x3F) << 8 | message[offset + 1]
            hops += 1
            if hops > 128:
                raise ValueError("pointers go in circles")
        elif length == 0:
            return ".".join(labels).lower() + ".", end or offset + 1
        else:
            labels.append(message[offset + 1:offset + 1 + length].decode("latin-1"))
            offset += 1 + length


class Answer:
    def __init__(self, message):
        self.size = len(message)
        self.id, self.flags, questions, *counts = struct.unpack_from("!6H", message)
        self.rcode = self.flags & 15
        self.tc = bool(self.flags & 0x0200)
        self.ad = bool(self.flags & 0x0020)
        self.cd = bool(self.flags & 0x0010)
        self.ra = bool(self.flags & 0x0080)
        offset, self.question = 12, None
        for _ in range(questions):
            name, offset = read_name(message, offset)
            self.question = (name, *struct.unpack_from("!HH", message, offset))
            offset += 4
        self.sections, self.edns, self.ede = [], None, []
        for count in counts:
            records = []
            for _ in range(count):
                name, offset = read_name(message, offset)
                rtype, rclass, ttl, length = struct.unpack_from("!HHIH", message, offset)
                rdata = message[offset + 10:offset + 10 + length]
                offset += 10 + length
                if rtype == TYPES["OPT"]:
                    self.edns = rclass
                    self.read_options(rdata)
                else:
                    records.append((name, rtype, ttl, rdata))
            self.sections.append(records)
        if offset != len(message):
            raise ValueError(f"{len(message) - offset} bytes behind the message")

    def read_options(self, rdata):
        while rdata:
            code, length = struct.unpack_from("!HH", rdata)
            if code == 15:
                self.ede.append(struct.unpack_from("!H", rdata, 4)[0])
            rdata = rdata[4 + length:]

    def rdata(self, rtype):
        return [r[3] for r in self.sections[0] if r[1] == TYPES[rtype]]


def ask_udp(address, message, timeout=4.0):
    """The answer to `message` and the seconds it took; None if there was none."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        began = time.monotonic()
        sock.send(message)
        while True:
            left = began + timeout - time.monotonic()
            if left <= 0:
                return None, timeout
            sock.settimeout(left)
            try:
                reply = sock.recv(65535)
            except TimeoutError:
                return None, timeout
            if reply[:2] == message[:2]:
                return Answer(reply), time.monotonic() - began


def ask_tcp(address, messages, timeout=4.0):
    """Sends all messages on one connection, reads as many answers, in the order of arrival."""
    with socket.create_connection(address, timeout=timeout) as sock:
        sock.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))
        stream, answers = b"", []
        while len(answers) < len(messages):
            piece = sock.recv(65536)
            if not piece:
                raise ValueError("the connection was closed early")
            stream += piece
            while len(stream) >= 2 and len(stream) >= 2 + int.from_bytes(stream[:2], "big"):
                size = int.from_bytes(stream[:2], "big")
                answers.append(Answer(stream[2:2 + size]))
                stream = stream[2 + size:]
        return answers
