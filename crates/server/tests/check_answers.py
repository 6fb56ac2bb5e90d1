"""Holds answers against the API's description, and the description's examples against its schemas.

Reads {"document": …, "answers": [{"method", "path" (template), "status", "kind", "body"}], "messages": […]} from
standard input; prints one line per fault.
"""

import json
import sys

from jsonschema import Draft202012Validator

given = json.load(sys.stdin)
document = given["document"]
faults = []


def resolve(schema):
    while isinstance(schema, dict) and "$ref" in schema and len(schema) == 1:
        node = document
        for part in schema["$ref"].lstrip("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def validator(schema):
    # Everything that is referred to lies in the same document.
    whole = {"components": document["components"], "allOf": [schema]}
    return Draft202012Validator(whole)


def alternatives(schema, value):
    """What of a schema speaks about this value: itself, all of its parts, those alternatives that fit."""
    schema = resolve(schema)
    if not isinstance(schema, dict):
        return []
    found = [schema]
    if "$ref" in schema:
        found += alternatives({"$ref": schema["$ref"]}, value)
    for part in schema.get("allOf", []):
        found += alternatives(part, value)
    for key in ("oneOf", "anyOf"):
        for part in schema.get(key, []):
            if validator(part).is_valid(value):
                found += alternatives(part, value)
    return found


def undeclared(schema, value, at):
    """Fields that no schema knows of."""
    parts = alternatives(schema, value)
    if isinstance(value, dict):
        anything = any(
            "additionalProperties" in part or (part.get("type") == "object" and "properties" not in part)
            for part in parts
        ) or not any("properties" in part for part in parts)
        for key, one in value.items():
            known = [part["properties"][key] for part in parts if key in part.get("properties", {})]
            if known:
                for schema in known:
                    yield from undeclared(schema, one, f"{at}.{key}")
            elif not anything:
                yield f"{at}.{key}"
            else:
                for part in parts:
                    if isinstance(part.get("additionalProperties"), dict):
                        yield from undeclared(part["additionalProperties"], one, f"{at}.{key}")
    elif isinstance(value, list):
        for part in parts:
            if isinstance(part.get("items"), dict):
                for n, one in enumerate(value):
                    yield from undeclared(part["items"], one, f"{at}[{n}]")


def check(what, schema, value, strict=True):
    wrong = list(validator(schema).iter_errors(value))
    for error in wrong[:3]:
        faults.append(f"{what}: {error.json_path}: {error.message[:300]}")
    if strict and not wrong:
        for field in sorted(set(undeclared(schema, value, "$")))[:5]:
            faults.append(f"{what}: {field} is not declared")


for answer in given["answers"]:
    operation = document["paths"][answer["path"]][answer["method"].lower()]
    what = f"{answer['method']} {answer['path']} → {answer['status']}"
    statuses = operation["responses"]
    declared = statuses.get(str(answer["status"])) or statuses.get(f"{answer['status'] // 100}XX")
    if declared is None:
        faults.append(f"{what}: this status is not declared: {json.dumps(answer['body'])[:200]}")
        continue
    declared = resolve(declared)
    content = declared.get("content", {})
    if answer["body"] is None:
        if content:
            faults.append(f"{what}: a body is declared, and there is none")
        continue
    kind = answer["kind"].split(";")[0]
    if kind not in content:
        faults.append(f"{what}: {kind} is not declared, {list(content)} is")
        continue
    if kind.endswith("ndjson"):
        for line in answer["body"]:
            check(what, content[kind].get("schema", {}), line)
    elif kind.endswith("json"):
        check(what, content[kind].get("schema", {}), answer["body"])

for n, message in enumerate(given["messages"]):
    check(f"message {n} ({message.get('type')})", {"$ref": "#/components/schemas/StreamMessage"}, message)


def examples(holder):
    if "example" in holder:
        yield holder["example"]
    for one in holder.get("examples", {}).values() if isinstance(holder.get("examples"), dict) else []:
        yield one.get("value")


count = 0
for path, item in document["paths"].items():
    for method, operation in item.items():
        bodies = [("request", operation.get("requestBody") or {})]
        bodies += [(status, resolve(one)) for status, one in operation["responses"].items()]
        for where, holder in bodies:
            for kind, media in holder.get("content", {}).items():
                for example in examples(media):
                    if kind.endswith("json"):
                        count += 1
                        check(f"example of {method.upper()} {path} ({where})", media.get("schema", {}), example)
        for parameter in operation.get("parameters", []):
            parameter = resolve(parameter)
            for example in examples(parameter):
                check(f"example of {method.upper()} {path} ({parameter['name']})", parameter.get("schema", {}), example)
for name, schema in document["components"]["schemas"].items():
    for example in examples(schema) if isinstance(schema, dict) else []:
        count += 1
        check(f"example of {name}", schema, example)
    for key, property_ in (schema.get("properties", {}) if isinstance(schema, dict) else {}).items():
        for example in examples(property_) if isinstance(property_, dict) else []:
            count += 1
            check(f"example of {name}.{key}", property_, example)

for fault in sorted(set(faults)):
    print(fault)
print(f"{len(given['answers'])} answers, {len(given['messages'])} messages, {count} examples", file=sys.stderr)
if count < 40:
    print(f"only {count} examples were found")
