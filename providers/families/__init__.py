"""The wire shapes, one file each. Pure: no I/O, no boto3."""
