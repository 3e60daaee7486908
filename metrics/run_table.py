"""The run log's tables, as SQLAlchemy sees them. What a run's row holds: `record.py`."""

from __future__ import annotations

import json
import types
import typing
import zlib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from metrics.record import RunRecord


class PackedJson(sa.types.TypeDecorator[Any]):
    """Any JSON value, compressed. Integers come back exactly."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> bytes | None:
        """The value's bytes; `None` stays NULL."""
        return None if value is None else zlib.compress(json.dumps(value, separators=(",", ":")).encode())

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> Any:
        """The value of those bytes."""
        return None if value is None else json.loads(zlib.decompress(value))


def _sql_type(annotation: Any, *, bulky: bool) -> sa.types.TypeEngine[Any]:
    if bulky:
        return PackedJson()
    if types.NoneType in typing.get_args(annotation):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    if typing.get_origin(annotation) is typing.Literal:
        return sa.Text()
    simple: dict[Any, sa.types.TypeEngine[Any]] = {
        str: sa.Text(),
        bool: sa.Boolean(),
        int: sa.BigInteger(),
        float: sa.Double(),
    }
    return simple.get(annotation, sa.JSON(none_as_null=True))


def _columns() -> Iterator[sa.Column[Any]]:
    """One column per attribute of the record; code speaks of it by the attribute's name."""
    hints = typing.get_type_hints(RunRecord)
    for f in fields(RunRecord):
        sql_type = _sql_type(hints[f.name], bulky=f.metadata["bulky"])
        optional = types.NoneType in typing.get_args(hints[f.name])
        yield sa.Column(f.metadata["column"], sql_type, key=f.name, nullable=optional)


metadata = sa.MetaData()
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *_columns(),
)
sa.Index("ix_runs_run_id", runs.c.run_id, unique=True)
sa.Index("ix_runs_started_at", runs.c.started_at)
sa.Index("ix_runs_pair_id", runs.c.pair_id)
sa.Index("ix_runs_experiment_id", runs.c.experiment_id)
sa.Index("ix_runs_comparison_id", runs.c.comparison_id)
sa.Index("ix_runs_conversation_id", runs.c.conversation_id)

LIGHT = (
    "started_at",
    "request_model",
    "mode",
    "status",
    "backend",
    "simulated",
    "phase",
    "flags",
    "time_to_first_chunk_s",
    "time_to_first_visible_s",
    "time_to_visible_s",
    "duration_s",
    "decode_tokens_per_s",
    "output_tokens_per_s",
    "input_tokens",
    "output_tokens",
    "tokens_estimated",
    "cost_usd",
    "pair_id",
    "experiment_id",
    "run_id",
)
"""What a table of runs shows or filters by. An index over all of it answers such questions without reading the rows,
which SQLite keeps together with their texts. PostgreSQL keeps long texts apart, and cannot index JSON."""
sa.Index("ix_runs_light", *(runs.c[attribute] for attribute in LIGHT)).ddl_if(dialect="sqlite")

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("id", sa.Text(), primary_key=True),
    sa.Column("started_at", sa.Text(), nullable=False),
    sa.Column("settings", sa.JSON(), nullable=False),
    sa.Column("pinned", sa.Boolean(), nullable=False),
    sa.Column("note", sa.Text(), nullable=False),
)
votes = sa.Table(
    "votes",
    metadata,
    sa.Column("comparison_id", sa.Text(), primary_key=True),
    sa.Column("run_id", sa.Text()),
    sa.Column("voted_at", sa.Text(), nullable=False),
)
open_runs = sa.Table(
    "open_runs",
    metadata,
    sa.Column("run_id", sa.Text(), primary_key=True),
    sa.Column("writer", sa.Text(), nullable=False),
    sa.Column("seen_at", sa.Double(), nullable=False),
    sa.Column("record", PackedJson(), nullable=False),
)
