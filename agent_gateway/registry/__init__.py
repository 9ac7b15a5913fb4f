"""What there is to choose from: agents and their skills, as one caller may use them."""
