"""The HTTP door: a helpdesk asks the moment a ticket arrives, and gets what batch scoring would say."""
