#!/usr/bin/env python3
"""What is linked into the program, as CycloneDX 1.5: sbom.py TARGET > file.json

From `cargo metadata` and the checksums of Cargo.lock: crates that only build or test are not in it.
SQLite, whose source comes in a crate, is named by itself.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

metadata = json.loads(subprocess.check_output(
    ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", sys.argv[1]]))
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
checksums = {(package["name"], package["version"]): package.get("checksum")
             for package in tomllib.loads(Path("Cargo.lock").read_text())["package"]}


def needs(crate):
    """The crates that a crate is linked with. Macros run in the compiler."""
    linked = [it["pkg"] for it in nodes[crate]["deps"]
              if any(kind["kind"] is None for kind in it["dep_kinds"])]
    return sorted(it for it in linked
                  if not any("proc-macro" in target["kind"] for target in packages[it]["targets"]))


def purl(crate):
    return f"pkg:cargo/{packages[crate]['name']}@{packages[crate]['version']}"


def component(crate):
    package = packages[crate]
    name, version = package["name"], package["version"]
    made = {"type": "library", "bom-ref": purl(crate), "name": name, "version": version,
            "purl": purl(crate)}
    if package["license"]:
        # An old way to write OR.
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums[name, version]:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return made


def sqlite(crate):
    header = Path(packages[crate]["manifest_path"]).parent / "sqlite3" / "sqlite3.h"
    version = re.search(r'#define SQLITE_VERSION +"([0-9.]+)"', header.read_text())[1]
    return {"type": "library", "bom-ref": "sqlite", "name": "sqlite", "version": version,
            "licenses": [{"license": {"id": "blessing"}}],
            "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*"}


root = metadata["resolve"]["root"]
found, waiting = set(), [root]
while waiting:
    crate = waiting.pop()
    if crate not in found:
        found.add(crate)
        waiting += needs(crate)
dependencies = {purl(crate): [purl(it) for it in needs(crate)] for crate in sorted(found)}
components = [component(crate) for crate in sorted(found - {root})]
bundling = next(crate for crate in found if packages[crate]["name"] == "libsqlite3-sys")
components.append(sqlite(bundling))
dependencies[purl(bundling)].append("sqlite")
json.dump({
    "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
    "metadata": {"component": component(root) | {"type": "application"}},
    "components": components,
    "dependencies": [{"ref": crate, "dependsOn": on} for crate, on in dependencies.items()],
}, sys.stdout, indent=1)
print()
