"""A small surface over many tools: three that find, describe and call the others."""
