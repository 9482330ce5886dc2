"""`assent demo`: the whole life of a policy, acted out on a real database over real SMTP."""
