"""Fixtures of the edge's tests."""

from tests.api_gateway.exchanging import gate
from tests.api_gateway.governing import office, office_on, sql

__all__ = ["gate", "office", "office_on", "sql"]
