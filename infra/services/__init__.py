"""The sample services: small HTTP apps that import only the standard library."""
