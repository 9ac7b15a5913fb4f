"""The injection guard's own model: from text to numbers, the weights, and how they were made (CARD.md)."""
