"""Checks rendered Kubernetes objects (standard input) against the schemas of the versions given: `manifests.py 1.29 1.37`.

Run by deploy/check.sh with the Python that has kubernetes-validate. Strict: a field that the schema does not know is a fault.
"""

import sys
from collections import Counter
from typing import Any

import kubernetes_validate  # type: ignore[import-not-found]
import yaml

CUSTOM = {"ServiceMonitor"}  # of an operator: no Kubernetes schema has it


def faults(objects: list[dict[str, Any]], version: str) -> list[str]:
    """One line for each object that this version would refuse."""
    found = []
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.absolute_path))
            found.append(f"{one['kind']}/{one['metadata']['name']}: {where}: {error.message}")
    return found


def twice(objects: list[dict[str, Any]]) -> list[str]:
    """Names that two objects of one kind share: the later would silently take the place of the earlier."""
    names = Counter(f"{one['kind']}/{one['metadata']['name']}" for one in objects)
    return [f"{name}: made {count} times" for name, count in names.items() if count > 1]


def main(versions: list[str]) -> int:
    every = [one for one in yaml.safe_load_all(sys.stdin) if one]
    objects = [one for one in every if one["kind"] not in CUSTOM]
    bad, known = twice(every), kubernetes_validate.utils.all_versions()
    for version in versions:
        if f"{version}.0" not in known:  # it would take an older one without a word
            bad.append(f"there are no schemas of Kubernetes {version}: name a version that kubernetes-validate has")
            continue
        bad += [f"Kubernetes {version}: {fault}" for fault in faults(objects, version)]
    print("\n".join(bad) or f"{len(objects)} objects fit Kubernetes {', '.join(versions)}; {len(every) - len(objects)} not checked")
    return 1 if bad or not objects else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
