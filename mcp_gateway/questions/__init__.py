"""What servers ask of clients while they work: put in the words of the client's era, and the answer brought
back to whoever waits for it.
"""
