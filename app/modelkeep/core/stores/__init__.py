"""Stores: bytes under keys, on disks and servers. They know nothing of Git, DVC, hashes or projects."""
