"""Messages of the queue: who holds them, how they come back after a crash, and which of them crash a worker."""
