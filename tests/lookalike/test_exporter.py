"""Dashboard and alert rules speak of what is exported, and promtool finds nothing wrong with either."""

import copy
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from lookalike.broker.reports import ProducerReport
from lookalike.broker.telemetry import Telemetry
from lookalike.exporter import LatestCounts, SystemCollector
from lookalike.messages import CountsReply
from lookalike.redis_keys import Keys
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "lookalike.json").read_text("utf-8"))
KEYS = Keys("measured")
COUNTS = CountsReply(
    indexed=7,
    rejected=2,
    library="the-library",
    model="m",
    distance="cosine",
    backend="b",
    precision="p",
    threads=1,
    generation="0" * 32,
)
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with valkey_process(tmp_path_factory.mktemp("broker")) as url, Redis.from_url(url) as redis:
        yield redis


@pytest.fixture(scope="module")
def text(redis: Redis) -> str:
    telemetry = Telemetry(redis, KEYS)
    telemetry.heartbeat("search", "search@here")
    telemetry.count_start("search")
    telemetry.write_report(ProducerReport(state="offline", lag_s=1.5, scans=3, scan_changed=4, scan_ended_at=1e9))
    return exported(SystemCollector(redis, KEYS, lambda: COUNTS, Path("/")))


def exported(collector: SystemCollector) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry).decode()


def expressions() -> list[str]:
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    return rules + [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_all_is_told_of_a_system_that_has_done_nothing_yet(text: str) -> None:
    values = {
        ":".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert values["lookalike_broker_up"] == 1
    assert values["lookalike_images_total:embedded"] == 0
    assert values["lookalike_stage_seconds_count:search"] == 0
    assert (values["lookalike_part_processes:search"], values["lookalike_part_processes:producer"]) == (1, 0)
    assert (values["lookalike_starts_total:search"], values["lookalike_starts_total:ingest"]) == (1, 0)
    assert (values["lookalike_index_files:indexed"], values["lookalike_index_files:rejected"]) == (7, 2)
    assert (values["lookalike_scans_total"], values["lookalike_scan_differences_total:changed"]) == (3, 4)
    assert (values["lookalike_library_offline"], values["lookalike_watcher_lag_seconds"]) == (1, 1.5)
    assert 0 < values["lookalike_disk_free_bytes"] < values["lookalike_disk_size_bytes"]


def test_dashboard_and_rules_use_every_name_as_it_is_exported_and_leave_out_none(text: str) -> None:
    samples = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    used = {name for expression in expressions() for name in re.findall(r"\blookalike_\w+", expression)}
    of_histograms = {name for name in samples if name.removesuffix("_bucket") != name}
    derived = {name.removesuffix("_bucket") + end for name in of_histograms for end in ("_count", "_sum", "_created")}

    assert used <= samples
    assert samples - used <= derived


def test_the_dashboard_has_panels_that_do_not_lie_on_each_other_and_one_source() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${source}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["source"]


def test_grafanas_own_types_read_the_dashboard_and_lose_nothing_of_it() -> None:
    register_default_plugins()

    written = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(DASHBOARD))))

    assert lost(DASHBOARD, written) == []


def lost(given: Any, kept: Any, where: str = "") -> list[str]:
    """Where something of the first is not in the second, or is otherwise there."""
    match given:
        case dict():
            there = kept if isinstance(kept, dict) else {}
            return [each for key, value in given.items() for each in lost(value, there.get(key), f"{where}/{key}")]
        case list():
            pairs = zip(given, kept, strict=True) if isinstance(kept, list) and len(kept) == len(given) else ()
            return (
                [each for at, pair in enumerate(pairs) for each in lost(*pair, f"{where}/{at}")] if pairs else [where]
            )
    return [] if given == kept else [where]


def test_sizes_of_the_index_are_those_of_the_last_time_so_that_nothing_waits() -> None:
    is_answered, asked = threading.Event(), list[None]()

    def ask() -> CountsReply:
        asked.append(None)
        is_answered.wait(20)
        return COUNTS

    latest = LatestCounts(ask)

    assert (latest(), latest(), latest()) == (None, None, None)
    assert len(asked) == 1
    is_answered.set()
    wait_until(lambda: latest() == COUNTS)


@promtool
def test_promtool_accepts_rules_and_configuration() -> None:
    run_promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))


@promtool
def test_promtool_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    """As rules: older versions have no command for an expression alone."""
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    # What Grafana puts in.
    filled = [re.sub(r"\$__(rate_)?interval", "1m", expression) for expression in expressions]
    assert not any("$" in expression for expression in filled)
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(filled)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    run_promtool("check", "rules", str(tmp_path / "panels.yml"))


@promtool
def test_promtool_accepts_what_is_exported(text: str) -> None:
    run_promtool("check", "metrics", standard_input=text)


@promtool
def test_promtool_lets_the_rules_fire_when_a_part_is_silent_and_when_the_backlog_stands(tmp_path: Path) -> None:
    series = {
        'lookalike_part_processes{part="search"}': "0x30",
        'lookalike_part_processes{part="ingest"}': "1x30",
        "lookalike_backlog_files": "64x30",
        'lookalike_images_total{outcome="embedded"}': "10x30",
        "lookalike_broker_up": "1x30",
    }
    given = [{"series": name, "values": values} for name, values in series.items()]
    silent = {
        "exp_labels": {"part": "search", "severity": "critical"},
        "exp_annotations": {"summary": "No search gives a sign of life: see `lookalike logs search`."},
    }
    stands = {
        "exp_labels": {"severity": "critical"},
        "exp_annotations": {"summary": "64 files wait and none is finished: see `lookalike logs ingest`."},
    }
    expected: list[dict[str, Any]] = [
        {"eval_time": "25m", "alertname": "LookalikePartSilent", "exp_alerts": [silent]},
        {"eval_time": "25m", "alertname": "LookalikeBacklogStands", "exp_alerts": [stands]},
        {"eval_time": "25m", "alertname": "LookalikeTellsNothing", "exp_alerts": []},
    ]
    test = {"interval": "1m", "input_series": given, "alert_rule_test": expected}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [test]}))

    run_promtool("test", "rules", str(tmp_path / "test.yml"))


def run_promtool(*arguments: str, standard_input: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *arguments],  # noqa: S607 (from where Debian puts it)
        input=standard_input,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
