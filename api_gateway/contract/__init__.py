"""What a route's OpenAPI document says a request must look like, and whether one does.

Source: https://spec.openapis.org/oas/v3.1.1 (3.0 alike, where it differs said so).
"""
