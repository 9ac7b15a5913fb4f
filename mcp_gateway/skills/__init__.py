"""Skills: instructions for something that has to be done, with the tools, prompts and models it needs."""
