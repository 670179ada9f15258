"""Further standbys: who follows whom, where each one stands, and what runs for them."""
