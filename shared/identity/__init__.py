"""Who calls, for whom, through whom: principals, and the tokens that carry them from one service to the next."""
