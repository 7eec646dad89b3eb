"""The node's two small processes, apart from the server so that they stay small.

`netadmin` owns the network namespace between the pods ("the fabric") and makes the pods' own;
`init` is process 1 of the pods' process namespace: it forks containers and reaps them.  When the
server dies, even by kill -9, the kernel ends both, and with them every container, mount and
network namespace.  Nothing here imports the rest of the emulator.
"""
