"""From paths to messages in the queue, and what was sent and may not be indexed yet."""
