"""Any helpdesk's records become tickets, events and articles in our own schema."""
