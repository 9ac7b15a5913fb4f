"""Push notifications: agents call the gateway, and the gateway calls the client's webhook.

An agent never learns a client's webhook nor its credentials; a webhook is never called by anybody but us.
"""
