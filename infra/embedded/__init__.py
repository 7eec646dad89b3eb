"""The embedded cluster: one process that answers like Kubernetes with Knative and kourier."""
