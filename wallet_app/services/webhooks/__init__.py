"""Who is notified of events, and the deliveries to them."""
