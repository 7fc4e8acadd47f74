"""Checks an OpenAPI document by programs that are not ours: check_document.py FILE.

The whole of it by openapi-spec-validator; then every example in it by jsonschema, against the
schema that stands beside it. Prints each fault on a line, and what was checked.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def pointer(*steps):
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


class Check:
    def __init__(self, document):
        self.document = document
        self.faults = []
        self.operations = 0
        self.examples = 0
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:document", resource)

    def validator(self, *steps):
        return Draft202012Validator(
            {"$ref": "urn:document#" + pointer(*steps)},
            registry=self.registry,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )

    def example(self, value, *schema):
        self.examples += 1
        for error in self.validator(*schema).iter_errors(value):
            self.faults.append(f"{pointer(*schema)}: the example {value!r}: {error.message}")

    def media(self, content, *steps, must_have_example):
        """One media type: its example, or its examples by name."""
        if "schema" not in content:
            return
        values = [example["value"] for example in content.get("examples", {}).values()]
        if "example" in content:
            values.append(content["example"])
        if must_have_example and not values:
            self.faults.append(f"{pointer(*steps)} has no example")
        for value in values:
            self.example(value, *steps, "schema")

    def operation(self, operation, *steps):
        self.operations += 1
        for index, parameter in enumerate(operation.get("parameters", [])):
            if "$ref" in parameter:
                continue
            at = (*steps, "parameters", index, "schema")
            for value in parameter["schema"].get("examples", []):
                self.example(value, *at)
            if "default" in parameter["schema"]:
                self.example(parameter["schema"]["default"], *at)
        body = operation.get("requestBody", {}).get("content", {})
        for name, content in body.items():
            self.media(content, *steps, "requestBody", "content", name, must_have_example=True)
        statuses = operation["responses"]
        if not any(status.startswith("2") for status in statuses):
            self.faults.append(f"{pointer(*steps)} cannot succeed")
        for status in ("400", "500", "503"):
            if status not in statuses:
                self.faults.append(f"{pointer(*steps)} does not tell of {status}")
        for status, response in statuses.items():
            for name, content in response.get("content", {}).items():
                at = (*steps, "responses", status, "content", name)
                self.media(content, *at, must_have_example=True)

    def run(self):
        for error in OpenAPIV31SpecValidator(self.document).iter_errors():
            self.faults.append(f"{list(error.absolute_path)}: {error.message}")
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in METHODS:
                    self.operation(operation, "paths", path, method)
        for name, schema in self.document["components"]["schemas"].items():
            for value in schema.get("examples", []):
                self.example(value, "components", "schemas", name)
        for name, parameter in self.document["components"]["parameters"].items():
            self.example(parameter["example"], "components", "parameters", name, "schema")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        check = Check(json.load(file))
    check.run()
    for fault in check.faults:
        print(fault)
    print(f"{check.operations} operations, {check.examples} examples, {len(check.faults)} faults")
    return 1 if check.faults else 0


if __name__ == "__main__":
    sys.exit(main())
