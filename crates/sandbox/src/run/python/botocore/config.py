"""The settings of clients."""


class Config:
    """Keeps what it is given; the stand-in uses the times."""

    def __init__(self, **settings):
        self.connect_timeout = settings.pop("connect_timeout", 60)
        self.read_timeout = settings.pop("read_timeout", 60)
        self.retries = settings.pop("retries", None)
        for name, value in settings.items():
            setattr(self, name, value)
