"""What tells of changes between two scans: watchers and notifications, and what keeps them alive."""
