"""What is told of a resource: statuses, conditions and their causes, events and metrics."""
