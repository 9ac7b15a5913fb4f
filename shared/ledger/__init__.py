"""The record of every request at every service: one entry each, closed once, durable and tamper-evident."""
