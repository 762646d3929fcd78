from tests.object_stores import s3_address

__all__ = ["s3_address"]
