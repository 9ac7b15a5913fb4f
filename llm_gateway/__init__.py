"""Model calls: one endpoint a client dialect, any number of providers behind a name, one bill."""
