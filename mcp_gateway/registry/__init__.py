"""The registry's read API: which servers and skills there are, as one caller may know them."""
