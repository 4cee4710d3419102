"""Values between Python and DynamoDB."""

from decimal import Context, Decimal, Inexact, Rounded

# DynamoDB's numbers: 38 digits, and nothing is rounded.
DYNAMODB_CONTEXT = Context(Emin=-128, Emax=126, prec=38, traps=[Inexact, Rounded])


class Binary:
    """Bytes."""

    def __init__(self, value):
        self.value = bytes(value)

    def __eq__(self, other):
        return self.value == (other.value if isinstance(other, Binary) else other)

    def __hash__(self):
        return hash(self.value)

    def __bytes__(self):
        return self.value


class TypeSerializer:
    """Turns a value of Python into one of DynamoDB."""

    def serialize(self, value):
        if value is None:
            return {"NULL": True}
        if isinstance(value, bool):
            return {"BOOL": value}
        if isinstance(value, str):
            return {"S": value}
        if isinstance(value, float):
            raise TypeError("Float types are not supported. Use Decimal types instead.")
        if isinstance(value, (int, Decimal)):
            number = DYNAMODB_CONTEXT.create_decimal(value)
            if not number.is_finite():
                raise TypeError("Infinity and NaN not supported")
            return {"N": str(number)}
        if isinstance(value, (bytes, bytearray, Binary)):
            return {"B": bytes(value)}
        if isinstance(value, dict):
            return {"M": {name: self.serialize(item) for name, item in value.items()}}
        if isinstance(value, (list, tuple)):
            return {"L": [self.serialize(item) for item in value]}
        if isinstance(value, (set, frozenset)) and value:
            items = [self.serialize(item) for item in value]
            kind = next(iter(items[0]))
            if kind in ("S", "N", "B") and all(kind in item for item in items):
                return {f"{kind}S": [item[kind] for item in items]}
        raise TypeError(f"Unsupported type \"{type(value)}\" for value \"{value}\"")


class TypeDeserializer:
    """Turns a value of DynamoDB into one of Python."""

    def deserialize(self, value):
        ((kind, content),) = value.items()
        if kind == "NULL":
            return None
        if kind in ("S", "BOOL"):
            return content
        if kind == "N":
            return DYNAMODB_CONTEXT.create_decimal(content)
        if kind == "B":
            return Binary(content)
        if kind == "M":
            return {name: self.deserialize(item) for name, item in content.items()}
        if kind == "L":
            return [self.deserialize(item) for item in content]
        if kind in ("SS", "NS", "BS"):
            return {self.deserialize({kind[0]: item}) for item in content}
        raise TypeError(f"Dynamodb type {kind} is not supported")
