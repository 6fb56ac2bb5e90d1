"""Reads OpenMetrics text as Prometheus does; says as JSON what is in it."""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = [
    {
        "name": family.name,
        "type": family.type,
        "help": family.documentation,
        "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
    }
    for family in text_string_to_metric_families(sys.stdin.buffer.read().decode())
]
json.dump(families, sys.stdout)
