"""Every AWS call ends in good time, and all of a function's together before the function does."""

import tomllib
import unittest
from pathlib import Path

from support import FOLDERS, ROOT, load

CONFIGS = ROOT.parent / "config"
# As the schema says, unless a config says otherwise.
TIMEOUT = 28


def layers(path):
    """A config file and what it extends, the file last."""
    content = tomllib.loads(path.read_text())
    below = content.get("extends")
    return [*(layers(path.parent / below) if below else []), (path, content)]


def timeouts():
    """The timeouts of every shipped function, in every shipped environment."""
    for path in sorted(CONFIGS.rglob("*.toml")):
        functions = {}
        for origin, content in layers(path):
            for key, value in content.get("functions", {}).items():
                found = functions.setdefault(key, {})
                found |= value
                if "source" in value:
                    found["folder"] = (origin.parent / value["source"]).resolve().name
        for key, found in functions.items():
            if found.get("folder") in FOLDERS:
                yield path, key, found["folder"], found.get("timeout", TIMEOUT)


def longest_call(config):
    """How long one call may take: each attempt, and the pauses between them."""
    attempts = config.retries["total_max_attempts"]
    pauses = sum(min(2**attempt, 20) for attempt in range(attempts - 1))
    return attempts * (config.connect_timeout + config.read_timeout) + pauses


class Bounds(unittest.TestCase):
    def test_the_default_of_the_schema_is_known(self):
        schema = (CONFIGS / "schema.json").read_text()
        self.assertIn(f'"default": {TIMEOUT}', schema)

    def test_all_calls_together_fit_the_time_of_the_function(self):
        found = list(timeouts())
        self.assertGreater(len(found), 40)
        self.assertEqual({folder for _, _, folder, _ in found}, set(FOLDERS))
        for path, key, folder, seconds in found:
            function = load(folder)
            if not hasattr(function, "boto3"):
                continue
            needed = function.CALLS * longest_call(function.CONFIG)
            if folder == "processing":
                needed += longest_call(function.CONFIG_ONCE)
            if folder == "rotation":
                needed += function.Connection.__init__.__globals__["SECONDS"]
            with self.subTest(f"{path.name} {key}"):
                # Two seconds to start, to answer and to log.
                self.assertLessEqual(needed + 2, seconds)

    def test_one_event_fits_the_time_that_is_asked_for(self):
        function = load("event_handler")
        needed = function.CALLS * longest_call(function.CONFIG)
        self.assertLessEqual(needed * 1000, function.NEEDED_MS)

    def test_no_client_is_without_bounds(self):
        for name, folder in FOLDERS.items():
            text = (folder / "index.py").read_text()
            self.assertEqual(text.count("boto3.client(") + text.count("boto3.resource("),
                             text.count("config=CONFIG"), name)


if __name__ == "__main__":
    unittest.main()
