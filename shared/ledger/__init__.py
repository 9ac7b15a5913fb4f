"""The record of every request at every service: one entry each, closed exactly once, durable and tamper-evident."""
