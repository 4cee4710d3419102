"""The errors of clients."""


class BotoCoreError(Exception):
    """What goes wrong before AWS answers."""


class EndpointConnectionError(BotoCoreError):
    """Nobody answers."""


class ClientError(Exception):
    """An error that AWS answers."""

    def __init__(self, error_response, operation_name):
        error = error_response.get("Error", {})
        super().__init__(
            f"An error occurred ({error.get('Code', 'Unknown')}) when calling the {operation_name} "
            f"operation: {error.get('Message', 'Unknown')}"
        )
        self.response = error_response
        self.operation_name = operation_name
