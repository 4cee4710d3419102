"""What moto lacks of DynamoDB: another encryption of a table, and streams that come back."""

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler

update_table = DynamoHandler.update_table
update_streams = DynamoDBBackend.update_table_streams


def update_with_encryption(response):
    wanted = response.body.get("SSESpecification")
    if wanted:
        table = response.dynamodb_backend.get_table(response.body["TableName"])
        if "KMSMasterKeyId" not in wanted:
            key = table._get_default_encryption_key(response.current_account, response.region)
            wanted = {**wanted, "KMSMasterKeyId": key}
        table.sse_specification = wanted
    return update_table(response)


def update_streams_again(backend, table, wanted):
    # The label of a stream that was switched off does not stand in the way of a new one.
    if not (table.stream_specification or {}).get("StreamEnabled"):
        table.latest_stream_label = None
    update_streams(backend, table, wanted)


DynamoHandler.update_table = update_with_encryption
DynamoDBBackend.update_table_streams = update_streams_again
