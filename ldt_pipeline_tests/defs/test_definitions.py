"""What Dagster shows: that nothing lacks its description, and that no name changes unnoticed."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from ldt_pipeline.definitions import defs
from ldt_pipeline.home import INSTANCE_CONFIG
from ldt_pipeline.tables import TABLES

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("definitions.json")


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:
    return defs.resolve_asset_graph()


def test_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_table_is_an_asset(graph) -> None:
    assert set(TABLES) <= {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_every_asset_is_described(graph) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        name = key.to_user_string()
        assert node.description, name
        assert node.group_name != "default", name
        assert node.owners, name
        assert node.kinds, name
        assert node.metadata["dagster/table_name"], name
        assert node.metadata["dagster/column_schema"].columns, name


def test_every_table_shows_each_column(graph) -> None:
    for table in TABLES.values():
        shown = graph.get(dg.AssetKey(table.name)).metadata["dagster/column_schema"].columns
        assert [column.name for column in shown] == list(table.schema)
        personal = {column.name for column in shown if column.tags}
        assert personal == set(table.personal_columns)


def test_every_dependency_exists(graph) -> None:
    """A mistyped `deps=` makes an asset of its own, which Dagster does not mind."""
    keys = graph.get_all_asset_keys()
    for key in keys:
        assert graph.get(key).is_materializable, key
        assert graph.get(key).parent_keys <= keys


def test_every_resource_that_is_asked_for_exists() -> None:
    repository = defs.get_repository_def()
    resources = set(repository.get_top_level_resources())
    for sensor in repository.sensor_defs:
        assert sensor.required_resource_keys <= resources, sensor.name
    for schedule in repository.schedule_defs:
        assert schedule.required_resource_keys <= resources, schedule.name


def test_every_step_shows_that_its_run_is_alive() -> None:
    """The storage does, so each step has it: a killed run would be under way for ever."""
    for each in [*defs.assets, *defs.asset_checks]:
        assert "storage" in each.required_resource_keys, each.op.name


def test_structural_checks_block_and_advice_does_not() -> None:
    specs = [spec for each in defs.asset_checks for spec in each.check_specs]
    blocking = {(spec.asset_key.to_user_string(), spec.name) for spec in specs if spec.blocking}
    for table in TABLES:
        assert (table, "key_is_unique") in blocking
    assert ("start_list", "has_every_live_participant") in blocking
    assert ("start_list", "bibs_are_unique") not in blocking


def test_nothing_was_renamed_by_accident(graph) -> None:
    """A rename orphans an asset's history. Where one is meant, delete the file and run again."""
    repository = defs.get_repository_def()
    current = {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "after": sorted(each.to_user_string() for each in graph.get(key).parent_keys),
                "partitions": (
                    type(partitions).__name__
                    if (partitions := graph.get(key).partitions_def)
                    else None
                ),
                "pools": sorted(graph.get(key).pools or []),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": sorted(
            f"{key.asset_key.to_user_string()}: {key.name}" for key in graph.asset_check_keys
        ),
        "jobs": sorted(
            job.name for job in repository.get_all_jobs() if not job.name.startswith("__")
        ),
        "schedules": {each.name: each.cron_schedule for each in repository.schedule_defs},
        "sensors": sorted(each.name for each in repository.sensor_defs),
    }
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(current, indent=1) + "\n")
    assert current == json.loads(SNAPSHOT.read_text())


def test_dagster_yaml_says_the_same_as_the_command_line() -> None:
    assert yaml.safe_load((ROOT / "dagster.yaml").read_text()) == INSTANCE_CONFIG


def test_workspace_and_project_name_the_same_location() -> None:
    """`dg dev` reads the one, `dagster dev` the other."""
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0][
        "python_module"
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["location_name"] == project["code_location_name"]
    assert workspace["module_name"].startswith(project["root_module"])


def test_columns_lead_back_to_the_api(graph) -> None:
    """From a column of the start list over the tidy table to a key of the record, which is shown."""

    def lineage(name: str) -> dict[str, list[dg.TableColumnDep]]:
        return graph.get(dg.AssetKey(name)).metadata["dagster/column_lineage"].deps_by_column

    (dep,) = lineage("start_list")["registered_at"]
    assert (dep.asset_key, dep.column_name) == (dg.AssetKey("participants"), "created_at")
    raw = {each.asset_key.to_user_string(): each for each in lineage("participants")["created_at"]}
    assert raw["raw_participants"].column_name == "createdAt"
    for name in TABLES:
        if "dagster/column_lineage" not in graph.get(dg.AssetKey(name)).metadata:
            continue
        node = graph.get(dg.AssetKey(name))
        for dep in {dep for deps in lineage(name).values() for dep in deps}:
            assert dep.asset_key in node.parent_keys, (name, dep.asset_key)
            shown = graph.get(dep.asset_key).metadata["dagster/column_schema"].columns
            assert dep.column_name in {each.name for each in shown}, (name, dep.column_name)


def test_a_column_says_where_it_comes_from(graph) -> None:
    shown = graph.get(dg.AssetKey("start_list")).metadata["dagster/column_schema"].columns
    assert all(" From `" in each.description for each in shown)
