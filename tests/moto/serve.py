"""Serves moto on loopback for as long as standard input stays open: it ends with the tests."""

import os
import sys
import threading

from moto.ec2.models.launch_templates import LaunchTemplate
from moto.server import main

# moto keeps the tags that a launch template was made with; AWS shows those that it has now.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, tags: None)


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
