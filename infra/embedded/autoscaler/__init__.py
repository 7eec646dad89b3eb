"""Knative's autoscaler (KPA): how many pods a revision gets, from the requests it has."""
