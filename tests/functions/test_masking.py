"""No function keeps or says a card number, however it is written."""

import json
import random
import unittest
from decimal import Decimal

from support import NAMES, FunctionTest, card

SEPARATORS = ["", " ", "  ", "-", ".", "_", "/", ",", "\u00a0", "\u2009", "\u200b", " - ", "\t", "\n"]
AROUND = ["", " ", "x", "12/27", " 12/27", "4", " 123", "=", "0000", "id-", "\u0664", "(", "99 "]
ARABIC = str.maketrans("0123456789", "".join(chr(0x0660 + digit) for digit in range(10)))


def digits_of(text):
    return "".join(str(int(sign)) if sign.isdecimal() else sign for sign in text)


class Masking(FunctionTest):
    name = "validation"

    def check(self, text, number):
        """At most four digits in a row are left of a card, as far as its digits go."""
        hidden = self.function.mask(text)
        self.assertEqual(len(hidden), len(text), text)
        shown = [sign for sign in digits_of(hidden) if sign.isdigit() or sign == "*"]
        self.assertNotIn(number, "".join(shown), text)
        masks = shown.count("*")
        self.assertGreaterEqual(masks, len(number) - 4, text)

    def test_every_separator_in_every_position(self):
        for seed in range(60):
            number = card(seed, 13 + seed % 7)
            for separator in SEPARATORS:
                for place in range(1, len(number)):
                    self.check(number[:place] + separator + number[place:], number)
                self.check(separator.join(number), number)

    def test_whatever_stands_beside_it(self):
        chance = random.Random(7)
        for seed in range(3000):
            number = card(seed, 13 + seed % 7)
            text = "".join(sign + chance.choice(["", "", "", *SEPARATORS]) for sign in number)
            text = chance.choice(AROUND) + text + chance.choice(AROUND)
            self.check(text, number)
            self.check(text.translate(ARABIC), number)

    def test_in_long_rows_of_digits(self):
        chance = random.Random(8)
        for seed in range(500):
            number = card(seed, 13 + seed % 7)
            before, after = (
                "".join(chance.choice("0123456789") for _ in range(chance.randint(0, 40)))
                for _ in "ab"
            )
            hidden = self.function.mask(before + number + after)
            inside = hidden[len(before) : len(before) + len(number)]
            self.assertGreaterEqual(inside.count("*"), len(number) - 4, before + number + after)

    def test_a_million_digits_take_no_time(self):
        self.assertIn("*", self.function.mask("4111111111111111" * 10_000))
        self.function.mask("1 " * 100_000)
        self.function.masked(Decimal("1e999999999"))

    def test_numbers_and_names_of_fields(self):
        for seed in range(200):
            number = card(seed, 13 + seed % 3)
            value = {number: [int(number), float(number), Decimal(number)], "a": {"b": (number,)}}
            hidden = json.dumps(self.function.masked(value), default=str)
            self.assertNotIn(number[:-4], hidden)
        plain = {"a": [1, 10.5, Decimal("10.50"), True, None, "text"], "b": 1767225600123}
        self.assertEqual(self.function.masked(plain), plain)

    def test_the_magnetic_stripe_is_not_kept_at_all(self):
        for seed in range(100):
            number = card(seed, 13 + seed % 7)
            for text in [
                f"%B{number}^PERSON/A^27121011234567890?",
                f";{number}=27121011234567890?",
                f"{number}D27121011234567890",
                f"read {number}=2712101 end",
            ]:
                hidden = self.function.mask(text)
                self.assertIn("[track]", hidden)
                self.assertNotRegex(hidden, "[0-9]", text)

    def test_other_numbers_stay(self):
        for text in [
            "1767225600123",
            "2026-02-03 04:05:06.123456",
            "2026-02-03T04:05:06,123456789+00:00",
            "99999999-4111-4111-8111-111111111111",
            "123456789012",
            "4111 1111 1111",
            "4111111111111112",
        ]:
            self.assertEqual(self.function.mask(text), text)


class Logs(unittest.TestCase):
    """Each function's log, with the number in every field."""

    def test_no_log_says_a_card_number(self):
        for name in NAMES:

            class One(FunctionTest):
                def runTest(self):
                    for seed in range(30):
                        number = card(seed, 16)
                        error = ValueError(f"broken at {number} 12/27")
                        fields = self.function.fault(error) | {"id": number, "at": [int(number)]}
                        self.function.log("ERROR", number, None, **fields)
                        self.assertNotIn(number[:-4], self.log.getvalue())
                    self.assertEqual(len(self.lines()), 30)

            One.name = name
            with self.subTest(name):
                result = One().run()
                self.assertTrue(result.wasSuccessful(), result.errors + result.failures)


if __name__ == "__main__":
    unittest.main()
