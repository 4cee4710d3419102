"""Serves moto on loopback for as long as standard input stays open: it ends with the tests. What moto
lacks is put in by the modules beside this one."""

import os
import sys
import threading

import aliases  # noqa: F401
import apigateway
import databases  # noqa: F401
import fleets  # noqa: F401
import guards  # noqa: F401
import keys  # noqa: F401
import names
import scaling  # noqa: F401
import tables  # noqa: F401
import watching  # noqa: F401
from moto import server


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


apigateway.complete()
names.complete()
threading.Thread(target=end_with_parent, daemon=True).start()
server.main(["-H", "127.0.0.1", "-p", sys.argv[1]])
