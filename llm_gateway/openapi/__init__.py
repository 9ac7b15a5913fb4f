"""This gateway's own OpenAPI document, made from the paths that are served."""
