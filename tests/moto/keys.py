"""What moto lacks of KMS: that the keys behind `alias/aws/` are AWS's own."""

from moto.kms.models import KmsBackend

create_alias = KmsBackend.create_alias


def create_alias_of_a_manager(backend, target_key_id, alias_name):
    alias = create_alias(backend, target_key_id, alias_name)
    if alias_name.startswith("alias/aws/"):
        backend.keys[backend.get_key_id(target_key_id)].key_manager = "AWS"
    return alias


KmsBackend.create_alias = create_alias_of_a_manager
