#!/usr/bin/python3
"""asker.py PORT COUNT PARALLEL: asks a stub on 127.0.0.1 and prints [[response code, seconds]]."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from message import ask_udp, query
from world import ZONE


def main():
    port, count, parallel = map(int, sys.argv[1:])

    def ask(number):
        answer, took = ask_udp(("127.0.0.1", port), query(f"q{number}.{ZONE}"))
        return [answer.rcode if answer else None, took]

    with ThreadPoolExecutor(parallel) as pool:
        print(json.dumps(list(pool.map(ask, range(count)))))


main()
