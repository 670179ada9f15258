"""The custom resources on a real API server."""
