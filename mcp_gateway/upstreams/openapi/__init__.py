"""REST APIs as servers: the operations of an OpenAPI document become tools, and a call of one an HTTP
request.

Source: https://spec.openapis.org/oas/v3.1.1 (3.0 alike, where it differs said so).
"""
