"""Fixtures for every test."""

pytest_plugins = ["tests.support.postgres", "tests.support.valkey"]
