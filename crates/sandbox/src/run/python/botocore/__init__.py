"""The part of botocore that the sandbox's stand-in for boto3 needs."""
