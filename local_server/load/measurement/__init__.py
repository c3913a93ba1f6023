"""One measurement: when requests are sent, in which slots, and what is recorded."""
