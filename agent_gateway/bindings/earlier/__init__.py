"""A2A 0.3: everything is raised to the form of 1.0 on its way in, and lowered on its way out."""
