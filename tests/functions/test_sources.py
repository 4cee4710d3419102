"""What holds for the sources of all functions."""

import ast
import re
import sys
import unittest

from support import FOLDERS, NAMES, ROOT

ALLOWED = {"boto3", "botocore", "figures", "layout", "postgres"} | sys.stdlib_module_names


def sources():
    """Those of the platform and of the examples."""
    for folder in FOLDERS.values():
        for path in sorted(folder.glob("*.py")):
            yield path, path.read_text()


class Sources(unittest.TestCase):
    def test_the_functions_of_the_platform_are_here(self):
        wanted = ["cost_report", "event_handler", "fraud_detection", "processing", "rotation"]
        self.assertEqual(NAMES, [*wanted, "validation"])

    def test_python_3_11_understands_them(self):
        for path, text in sources():
            with self.subTest(path.name):
                ast.parse(text, path, feature_version=(3, 11))

    def test_they_need_nothing_that_lambda_does_not_have(self):
        for path, text in sources():
            for node in ast.walk(ast.parse(text)):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom):
                    names = [node.module]
                for name in names:
                    self.assertIn(name.split(".")[0], ALLOWED, path)

    def test_copies_are_equal(self):
        copies = {}
        for path, text in sources():
            marker = text.find("# What is below stands in")
            for node in ast.parse(text).body:
                start = sum(len(line) + 1 for line in text.split("\n")[: node.lineno - 1])
                if 0 <= marker < start:
                    name = getattr(node, "name", None) or node.targets[0].id
                    copies.setdefault(name, []).append(ast.get_source_segment(text, node))
        # Whoever logs masks, in the same way.
        for name in ["TRACK", "NO_CARD", "DIGITS", "masked", "mask", "stars", "fault", "log"]:
            self.assertEqual(len(copies[name]), len(NAMES), name)
        for name, texts in copies.items():
            self.assertEqual(len(set(texts)), 1, f"{name} differs between the functions")

    def test_money_is_never_a_float(self):
        for path, text in sources():
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Constant):
                    self.assertNotIsInstance(node.value, float, path)
                if isinstance(node, ast.Name):
                    self.assertNotEqual(node.id, "float", path)

    def test_every_environment_variable_is_documented(self):
        readme = (ROOT / "README.md").read_text()
        for path, text in sources():
            for node in ast.walk(ast.parse(text)):
                is_name = isinstance(node, ast.Constant) and isinstance(node.value, str)
                # Words of DynamoDB, of Cost Explorer and of an audit record.
                is_name = is_name and node.value not in {"ALL_OLD", "RECORD_TYPE", "TRANSACTION_PROCESSED"}
                if is_name and re.fullmatch("[A-Z]+(_[A-Z]+)+", node.value):
                    self.assertIn(f"`{node.value}`", readme, path)


if __name__ == "__main__":
    unittest.main()
