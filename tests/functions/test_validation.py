"""`POST /validate`."""

import base64
import json
import random
import unittest
from unittest import mock

from support import PAYMENT, FunctionTest, card


class Validation(FunctionTest):
    name = "validation"

    def refuse(self, body, said):
        status, found = self.post(body)
        self.assertEqual(status, 400, body)
        self.assertIn(said, found["error"])

    def test_a_good_payment_is_validated(self):
        status, found = self.post(PAYMENT)
        self.assertEqual(status, 200)
        self.assertIs(found["validated"], True)
        self.assertTrue(found["message"])

    def test_a_missing_field_is_named(self):
        for name in PAYMENT:
            without = {key: value for key, value in PAYMENT.items() if key != name}
            self.refuse(without, f"{name} is missing")
            self.refuse(PAYMENT | {name: None}, f"{name} is missing")
            self.refuse(PAYMENT | {name: ""}, f"{name} is missing")

    def test_only_a_json_object_is_a_body(self):
        for body in ["", "nonsense", "[]", '"text"', "12", "null", "{", "[" * 5000, '{"amount":']:
            self.refuse(body, "JSON object")
        found = self.call({"body": None})
        self.assertEqual(found["statusCode"], 400)
        self.assertEqual(self.call({})["statusCode"], 400)

    def test_a_body_in_base64_is_read(self):
        body = base64.b64encode(json.dumps(PAYMENT).encode()).decode()
        event = {"body": body, "isBase64Encoded": True}
        self.assertEqual(self.call(event)["statusCode"], 200)
        event["body"] = "%%%"
        self.assertEqual(self.call(event)["statusCode"], 400)

    def test_amounts_that_are_no_positive_decimals_are_refused(self):
        texts = ["0", "-1", "0.00", "abc", " 1", "1e3", "1,5", "NaN", "Infinity", "1.", ".5", "٣"]
        for amount in [*texts, 0, -0.01, True, False, [], {}, [1], "1" * 16, "0.00001"]:
            self.refuse(PAYMENT | {"amount": amount}, "amount")
        for number in ["NaN", "Infinity", "-Infinity", "1e400", "1e999999999999999999999", "1e15"]:
            self.refuse(json.dumps(PAYMENT).replace('"10.50"', number), "")

    def test_amounts_of_any_usual_form_are_taken(self):
        chance = random.Random(1)
        for _ in range(300):
            whole, places = chance.randint(1, 10**15 - 1), chance.randint(0, 4)
            part = "".join(chance.choice("0123456789") for _ in range(places))
            amount = f"{whole}.{part}" if part else str(whole)
            self.assertEqual(self.post(PAYMENT | {"amount": amount})[0], 200, amount)
            as_number = json.dumps(PAYMENT).replace('"10.50"', amount)
            self.assertEqual(self.post(as_number)[0], 200, amount)

    def test_cards_have_13_to_19_digits(self):
        for length in range(1, 25):
            for seed in range(10):
                number = card(seed, max(length, 2))[:length]
                body = PAYMENT | {"card_number": number}
                if 13 <= length <= 19:
                    self.assertEqual(self.post(body)[0], 200, number)
                else:
                    self.refuse(body, "13 to 19 digits")
        for number in ["4111-1111-1111-1111", "4111x11111111111", 4111111111111111, "٤" * 16, []]:
            self.refuse(PAYMENT | {"card_number": number}, "13 to 19 digits")

    def test_one_wrong_digit_is_noticed(self):
        chance = random.Random(2)
        for seed in range(200):
            number = list(card(seed, chance.randint(13, 19)))
            place = chance.randrange(len(number))
            number[place] = str((int(number[place]) + chance.randint(1, 9)) % 10)
            self.refuse(PAYMENT | {"card_number": "".join(number)}, "check digit")

    def test_a_card_number_is_no_id(self):
        for value in ["4111111111111111", "c-4111 1111 1111 1111", "4111.1111.1111.1111-7"]:
            self.refuse(PAYMENT | {"customer_id": value}, "customer_id must not hold")
        self.assertNotIn("1111", self.log.getvalue())
        for value in ["customer-4111", "1767225600123", "99999999-4111-4111-8111-111111111111"]:
            self.assertEqual(self.post(PAYMENT | {"customer_id": value})[0], 200, value)

    def test_a_currency_has_three_letters(self):
        for currency in ["US", "DOLLAR", "U5D", "ÄÖÜ", 840]:
            self.refuse(PAYMENT | {"currency": currency}, "currency")

    def test_web_pages_of_one_origin_may_read_the_answers(self):
        name, origin = "Access-Control-Allow-Origin", "https://shop.example.com"
        for body in [json.dumps(PAYMENT), "nonsense"]:
            self.assertNotIn(name, self.call({"body": body})["headers"])
            with mock.patch.dict("os.environ", {"CORS_ORIGIN": origin}):
                self.assertEqual(self.call({"body": body})["headers"][name], origin)

    def test_a_fault_is_neutral_outside_and_known_inside(self):
        secret = "broken at 4111 1111 1111 1111 in dark-corner"
        with mock.patch.object(self.function, "validate", side_effect=RuntimeError(secret)):
            status, found = self.post(PAYMENT)
        self.assertEqual((status, found), (500, {"error": "Internal error"}))
        [line] = self.lines()
        self.assertEqual((line["level"], line["error"]), ("ERROR", "RuntimeError"))
        self.assertIn("dark-corner", line["detail"])
        self.assertIn("**** **** **** 1111", line["detail"])

    def test_a_card_number_is_never_said(self):
        for seed in range(100):
            number = card(seed, 16)
            for wrong in [number, number[:-1] + "x", number + number]:
                text = self.call({"body": json.dumps(PAYMENT | {"card_number": wrong})})["body"]
                self.assertNotIn(number[:-1], text + self.log.getvalue())
        self.lines()


if __name__ == "__main__":
    unittest.main()
