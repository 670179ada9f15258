"""The Kubernetes API as this operator uses it. The only room that knows the kubernetes client."""
