"""The two eras of MCP on the side of the clients: 2025-03-26 to 2025-11-25 with sessions, 2026-07-28
without any state.
"""
