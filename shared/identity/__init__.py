"""Who calls, for whom, through whom: principals, and the tokens that carry them between services."""
