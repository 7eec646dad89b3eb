"""Replays recordings of a real cluster against another one and says where they differ.

    python -m tests.embedded.conformance FOLDER [--kubeconfig FILE] [--area NAME]...

FOLDER has the layout of the recordings: folders of JSON files with commands and what they
answered, HTTP exchanges, objects as YAML.  Without a kubeconfig a cluster is started for it.
"""
