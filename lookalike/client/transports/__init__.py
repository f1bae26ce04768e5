"""How jobs are sent, followed, answered and cancelled: what a client needs of it, and the way over Celery and Redis."""
