from tests.object_stores import folder_store, s3_address, s3_store, store

__all__ = ["folder_store", "s3_address", "s3_store", "store"]
