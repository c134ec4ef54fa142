"""Which articles answer a ticket: what they say, and what helpers cited on earlier tickets like it."""
