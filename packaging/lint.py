"""The compose file by its schema, and META.json by the rules of https://pgxn.org/meta/spec.txt."""

import importlib.util
import json
import pathlib
import re
import sys

import jsonschema
import yaml

SEMVER = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
TERM = re.compile(r"^[^\s/\\\x00-\x1f]{2,}$")
LICENSES = {"postgresql", "mit", "bsd", "apache_2_0", "gpl_2", "gpl_3", "mozilla_1_1", "open_source", "unrestricted"}
problems = []


def expect(holds, what):
    if not holds:
        problems.append(what)


def check_compose(path):
    found = importlib.util.find_spec("compose")
    schema = json.loads((pathlib.Path(found.origin).parent / "config/compose_spec.json").read_text())
    compose = yaml.safe_load(path.read_text())
    # A key that is younger than this copy of the schema.
    expect(re.fullmatch(r"[a-z0-9][a-z0-9_-]*", compose.pop("name", "")), "compose.yml: name")
    for error in jsonschema.Draft7Validator(schema).iter_errors(compose):
        problems.append(f"compose.yml: {'/'.join(map(str, error.path))}: {error.message}")
    services, secrets = compose["services"], compose.get("secrets", {})
    dockerfile = path.with_name("Dockerfile").read_text()
    for name, service in services.items():
        build = service["build"]
        expect((path.parent / build["context"] / build["dockerfile"]).is_file(), f"compose.yml: Dockerfile of {name}")
        expect(f" AS {build['target']}\n" in dockerfile, f"compose.yml: target of {name}")
        expect(set(service.get("depends_on", {})) <= set(services), f"compose.yml: depends_on of {name}")
        expect(set(service.get("secrets", [])) <= set(secrets), f"compose.yml: secrets of {name}")


def check_meta(path):
    meta = json.loads(path.read_text())
    control = path.with_name("signal_hub.control").read_text()
    for key in ("name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"):
        expect(meta.get(key), f"META.json: {key} is missing")
    expect(TERM.match(meta["name"]), "META.json: name")
    expect(SEMVER.match(meta["version"]), "META.json: version is no semantic version")
    expect(meta["license"] in LICENSES, "META.json: license is none that PGXN knows")
    expect(meta["meta-spec"]["version"] == "1.0.0", "META.json: meta-spec")
    expect(meta.get("release_status", "stable") in ("stable", "testing", "unstable"), "META.json: release_status")
    expect(all(tag and len(tag) <= 255 and not re.search(r"[/\\\x00-\x1f]", tag) for tag in meta.get("tags", [])), "META.json: tags")
    for name, extension in meta["provides"].items():
        expect(TERM.match(name) and SEMVER.match(extension["version"]), f"META.json: version of {name}")
        for key in ("file", "docfile"):
            expect(path.with_name(extension[key]).is_file(), f"META.json: {key} of {name} is not there")
        expect(f"default_version = '{extension['version']}'\n" in control, f"META.json: {name} is of another version than its control file")
    for phase, lists in meta.get("prereqs", {}).items():
        expect(phase in ("configure", "build", "test", "runtime", "develop"), f"META.json: phase {phase}")
        for relation, needed in lists.items():
            expect(relation in ("requires", "recommends", "suggests", "conflicts"), f"META.json: {relation}")
            expect(all(version == 0 or SEMVER.match(version) for version in needed.values()), f"META.json: {phase}")


check_compose(pathlib.Path("packaging/image/compose.yml"))
check_meta(pathlib.Path("META.json"))
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))
