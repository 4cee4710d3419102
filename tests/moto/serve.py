"""Serves moto on loopback for as long as standard input stays open: it ends with the tests."""

import os
import sys
import threading

import apigateway
from moto.server import main


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


apigateway.complete()
threading.Thread(target=end_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
