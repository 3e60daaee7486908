"""Measurements that the documents quote. Never part of the tests: a shared machine must not fail them by chance."""
