"""Run in a process of its own: one call of pytest-kind's KindCluster.

pytest-kind makes a folder where it is started, prints, and has no time limit; here all of that
stays in a child whose folder, output and time belong to the driver.

    python -m infra.clusters.kind_process create|delete NAME KUBECONFIG KIND [IMAGE CONFIG]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Do it; the exit code is kind's."""
    from pytest_kind import KindCluster

    action, name, kubeconfig, kind, *rest = arguments
    image, config = rest or (None, None)
    cluster = KindCluster(name, Path(kubeconfig), image=image, kind_path=Path(kind))
    try:
        if action == "create":
            cluster.create(config)
        else:
            cluster.delete()
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
