"""Conditions on keys and attributes, which become expressions."""


class Condition:
    """A condition: a form with places for names and values."""

    def __init__(self, form, parts):
        self.form, self.parts = form, parts

    def __and__(self, other):
        return Condition("({} AND {})", [self, other])

    def __or__(self, other):
        return Condition("({} OR {})", [self, other])

    def __invert__(self):
        return Condition("(NOT {})", [self])

    def built(self, names, values):
        """The expression; adds its names and values to those of the call."""
        texts = []
        for part in self.parts:
            if isinstance(part, Condition):
                texts.append(part.built(names, values))
            elif isinstance(part, Place):
                steps = []
                for step in part.name.split("."):
                    key = f"#n{len(names)}"
                    names[key] = step
                    steps.append(key)
                texts.append(".".join(steps))
            else:
                key = f":v{len(values)}"
                values[key] = part
                texts.append(key)
        return self.form.format(*texts)


class Place:
    """An attribute by its name."""

    def __init__(self, name):
        self.name = name

    def eq(self, value):
        return Condition("{} = {}", [self, value])

    def lt(self, value):
        return Condition("{} < {}", [self, value])

    def lte(self, value):
        return Condition("{} <= {}", [self, value])

    def gt(self, value):
        return Condition("{} > {}", [self, value])

    def gte(self, value):
        return Condition("{} >= {}", [self, value])

    def begins_with(self, value):
        return Condition("begins_with({}, {})", [self, value])

    def between(self, low, high):
        return Condition("{} BETWEEN {} AND {}", [self, low, high])


class Key(Place):
    """A key."""


class Attr(Place):
    """Any attribute."""

    def ne(self, value):
        return Condition("{} <> {}", [self, value])

    def exists(self):
        return Condition("attribute_exists({})", [self])

    def not_exists(self):
        return Condition("attribute_not_exists({})", [self])

    def contains(self, value):
        return Condition("contains({}, {})", [self, value])

    def is_in(self, values):
        places = ", ".join("{}" for _ in values)
        return Condition("{} IN (" + places + ")", [self, *values])
