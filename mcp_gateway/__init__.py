"""The tool gateway: MCP servers and their tools, prompts and resources, in both eras, behind one policy."""
