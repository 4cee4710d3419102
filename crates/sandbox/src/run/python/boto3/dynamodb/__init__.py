"""DynamoDB's values and conditions in Python."""
